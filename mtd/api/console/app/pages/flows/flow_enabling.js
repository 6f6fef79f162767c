import { Component } from "@odoo/owl";

/** How flows come to mtd, where there are none. */
export class FlowEnabling extends Component {
  static template = "console.FlowEnabling";
  static props = {};
}
