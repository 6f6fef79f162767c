/** @odoo-module **/
import { Component } from "@odoo/owl";
import { statusLabel } from "../../lib/fleet.js";
import { dateTime, plainText, shortTime } from "../../lib/format.js";
import { word } from "../../lib/words.js";

export const SEVERITIES = [
  { key: "critical", get label() { return word("Critical"); } },
  { key: "warning", get label() { return word("Warning"); } },
  { key: "info", get label() { return word("Info"); } },
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

  word = word;

  severity(event) {
    return SEVERITIES.find(({ key }) => key === event.severity)?.label ?? word("Info");
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
    const told = { source, time: dateTime(tUs), message: plainText(message) };
    if (!afterUs) return word("Seen by %(source)s at %(time)s: %(message)s", told);
    const late = (afterUs / 1e6).toFixed(1);
    return word("Seen by %(source)s at %(time)s, %(late)s s after the first: %(message)s", { ...told, late });
  }
}

function sayWhat(event) {
  if (event.field === "status" && event.entity_type === "device") return statusText(event);
  return event.message || [event.entity, event.field, event.new].filter(Boolean).join(" ") || event.type;
}

function statusText({ old, new: status, message }) {
  if (status !== "up") return [statusLabel(status), message].filter(Boolean).join(": ");
  return old && old !== "unknown" ? word("Up again, was %s", statusLabel(old).toLowerCase()) : word("Up, it answers");
}
