/** @odoo-module **/
import { Component } from "@odoo/owl";
import { registry } from "@web/core/registry";
import { InterfaceTable } from "../../../components/interface_table/interface_table.js";
import { word } from "../../../lib/words.js";
import { useInterfaces } from "../../interfaces.js";
import { deviceWidget } from "../device_widget.js";
import { LiveHead } from "../live/live_head.js";

/** The interfaces of a router, in full width. */
export class InterfacesView extends Component {
  static template = "mikrotik_monitoring.InterfacesView";
  static components = { InterfaceTable, LiveHead };
  static props = { deviceId: Number };

  word = word;

  setup() {
    this.live = useInterfaces(this.props.deviceId);
  }
}

registry.category("view_widgets").add("mikrotik_interfaces", deviceWidget(InterfacesView));
