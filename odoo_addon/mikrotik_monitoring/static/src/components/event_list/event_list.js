/** @odoo-module **/
import { Component } from "@odoo/owl";
import { statusLabel } from "../../lib/fleet.js";
import { dateTime, plainText, shortTime } from "../../lib/format.js";

export const SEVERITIES = [
  { key: "critical", label: "Critical" },
  { key: "warning", label: "Warning" },
  { key: "info", label: "Info" },
];

/** Events, newest first. `deviceHref` makes links of the devices' names. */
export class EventList extends Component {
  static template = "mikrotik_monitoring.EventList";
  static props = {
    events: Array,
    nowUs: Number,
    showDevice: { type: Boolean, optional: true },
    deviceHref: { type: Function, optional: true },
    empty: { type: String, optional: true },
  };

  severity(event) {
    return SEVERITIES.find(({ key }) => key === event.severity)?.label ?? "Info";
  }

  time(event) {
    return shortTime(event.t_us, this.props.nowUs);
  }

  fullTime(event) {
    return dateTime(event.t_us);
  }

  name(event) {
    return plainText(event.device);
  }

  text(event) {
    return plainText(sayWhat(event));
  }

  evidences(event) {
    return event.evidences ?? [];
  }

  seen({ source, t_us: tUs, after_us: afterUs, message }) {
    const late = afterUs ? `, ${(afterUs / 1e6).toFixed(1)} s after the first` : "";
    return `Seen by ${source} at ${dateTime(tUs)}${late}: ${plainText(message)}`;
  }
}

function sayWhat(event) {
  if (event.field === "status" && event.entity_type === "device") return statusText(event);
  return event.message || [event.entity, event.field, event.new].filter(Boolean).join(" ") || event.type;
}

function statusText({ old, new: status, message }) {
  if (status !== "up") return [statusLabel(status), message].filter(Boolean).join(": ");
  return old && old !== "unknown" ? `Up again, was ${statusLabel(old).toLowerCase()}` : "Up, it answers";
}
