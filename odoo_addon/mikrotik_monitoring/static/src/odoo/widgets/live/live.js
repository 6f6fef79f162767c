/** @odoo-module **/
import { Component } from "@odoo/owl";
import { registry } from "@web/core/registry";
import { EventList } from "../../../components/event_list/event_list.js";
import { InterfaceTable } from "../../../components/interface_table/interface_table.js";
import { KpiTile } from "../../../components/kpi_tile/kpi_tile.js";
import { LogTail } from "../../../components/log_tail/log_tail.js";
import { TrafficPanel } from "../../../components/traffic_panel/traffic_panel.js";
import { kpis } from "../../../lib/kpis.js";
import { word } from "../../../lib/words.js";
import { useInterfaces } from "../../interfaces.js";
import { deviceWidget } from "../device_widget.js";
import { LiveHead } from "./live_head.js";

/** One router as it is now. */
export class LiveView extends Component {
  static template = "mikrotik_monitoring.LiveView";
  static components = { EventList, InterfaceTable, KpiTile, LiveHead, LogTail, TrafficPanel };
  static props = { deviceId: Number };

  word = word;

  setup() {
    this.live = useInterfaces(this.props.deviceId);
    this.chosen = "";
    this.choose = (id) => {
      this.chosen = id;
      this.render();
    };
    this.toggle = (id) => this.choose(this.chosen === id ? "" : id);
  }

  get tiles() {
    const { feed, isStale } = this.live;
    return kpis(feed.model, feed.summary).map((tile) => ({ ...tile, stale: Boolean(tile.tUs) && isStale(tile.tUs, tile.group) }));
  }
}

registry.category("view_widgets").add("mikrotik_live", deviceWidget(LiveView));
