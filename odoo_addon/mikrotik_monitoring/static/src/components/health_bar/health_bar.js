/** @odoo-module **/
import { Component, useState } from "@odoo/owl";
import { reasonOf, statusLabel } from "../../lib/fleet.js";
import { duration, shortTime } from "../../lib/format.js";
import { availability, timeline } from "../../lib/health.js";

/** The status over time as a bar; the segment that is pointed at, or the newest, is told below. */
export class HealthBar extends Component {
  static template = "mikrotik_monitoring.HealthBar";
  static props = { segments: Array, fromUs: Number, toUs: Number };

  setup() {
    this.state = useState({ at: null });
  }

  get shown() {
    const segments = timeline(this.props.segments, this.props.fromUs, this.props.toUs);
    const share = availability(segments);
    const chosen = segments.find((segment) => segment.from_us === this.state.at) ?? segments.at(-1) ?? null;
    return { segments, chosen, told: chosen ? this.tell(chosen) : "Nothing is known yet.", share: shareText(share) };
  }

  tell(segment) {
    const lasted = duration((segment.to_us - segment.from_us) / 1e6);
    const told = reasonOf(segment);
    const reason = told ? `: ${told}` : "";
    const until = segment.to_us >= this.props.toUs ? "now" : shortTime(segment.to_us, this.props.toUs);
    return `${statusLabel(segment.status)}${reason} · ${shortTime(segment.from_us, this.props.toUs)} to ${until} (${lasted})`;
  }

  get start() {
    return shortTime(this.props.fromUs, this.props.toUs);
  }

  point(segment) {
    this.state.at = segment ? segment.from_us : null;
  }
}

// Rounded down: 99.996 % isn't 100 %.
function shareText(share) {
  return share === null ? "" : `${share === 100 ? "100" : (Math.floor(share * 100) / 100).toFixed(2)} % available`;
}
