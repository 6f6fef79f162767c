/** @odoo-module **/
import { Component } from "@odoo/owl";
import { age, dateTime, raw } from "../../lib/format.js";
import { word } from "../../lib/words.js";
import { useRedraw } from "../hooks.js";

/** "Last update 2 s ago", counting by itself. */
export class LastUpdate extends Component {
  static template = "mikrotik_monitoring.LastUpdate";
  static props = { tUs: { optional: true }, stale: { type: Boolean, optional: true } };

  raw = raw;

  setup() {
    useRedraw(this.env.clock, "tick");
  }

  get text() {
    return this.props.tUs ? age(this.props.tUs, this.env.clock.nowUs()) : word("none yet");
  }

  get at() {
    return this.props.tUs ? dateTime(this.props.tUs) : "";
  }
}
