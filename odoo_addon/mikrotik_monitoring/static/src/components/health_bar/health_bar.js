/** @odoo-module **/
import { Component, useState } from "@odoo/owl";
import { reasonOf, statusLabel } from "../../lib/fleet.js";
import { duration, shortTime } from "../../lib/format.js";
import { availability, timeline } from "../../lib/health.js";
import { word } from "../../lib/words.js";

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
    return { segments, chosen, told: chosen ? this.tell(chosen) : word("Nothing is known yet."), share: shareText(share) };
  }

  tell(segment) {
    const lasted = duration((segment.to_us - segment.from_us) / 1e6);
    const told = reasonOf(segment);
    const reason = told ? `: ${told}` : "";
    const from = shortTime(segment.from_us, this.props.toUs);
    const until = segment.to_us >= this.props.toUs ? word("now") : shortTime(segment.to_us, this.props.toUs);
    return `${statusLabel(segment.status)}${reason} · ${word("%(from)s to %(until)s (%(lasted)s)", { from, until, lasted })}`;
  }

  /** The bar in words, for those who don't see it. */
  said({ share, told }) {
    return [word("Status over time"), share, word("Now: %s", told)].filter(Boolean).join(". ");
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
  return share === null ? "" : word("%s available", `${share === 100 ? "100" : (Math.floor(share * 100) / 100).toFixed(2)} %`);
}
