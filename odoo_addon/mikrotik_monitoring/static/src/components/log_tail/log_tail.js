/** @odoo-module **/
import { Component } from "@odoo/owl";
import { word } from "../../lib/words.js";
import { EventList } from "../event_list/event_list.js";

const CRITICAL = 2;
const WARNING = 4;

const styleOf = (severity) => {
  if (severity === null || severity === undefined || severity > WARNING) return "info";
  return severity <= CRITICAL ? "critical" : "warning";
};

/** Lines of routers' logs, newest first. Severities are those of syslog: 0 to 7, or null where none was told. */
export class LogTail extends Component {
  static template = "mikrotik_monitoring.LogTail";
  static components = { EventList };
  static props = {
    lines: Array,
    nowUs: Number,
    showDevice: { type: Boolean, optional: true },
    deviceHref: { type: Function, optional: true },
    empty: { type: String, optional: true },
  };

  get events() {
    return this.props.lines.map((line) => ({
      position: line.position,
      t_us: line.t_us,
      device_id: line.device_id,
      device: line.device || line.sender,
      type: line.event_type,
      severity: styleOf(line.severity),
      message: [(line.topics ?? []).join(","), line.text].filter(Boolean).join(" ") + (line.repeats ? ` ${word("(and %s times more)", line.repeats)}` : ""),
    }));
  }
}
