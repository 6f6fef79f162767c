import { Component } from "@odoo/owl";
import { bytes, dateTime, known, percent, plainText } from "#shared/lib/format.js";
import { formatHash } from "../../services/router.js";
import { useFollowed } from "./follow.js";

// Flows tell of IP packets, counters of frames: what is far off either way is worth a look.
const LOW = 0.5;
const HIGH = 1.5;

/** Whether flows tell of everything: their octets beside what interfaces counted themselves. */
export class FlowInterfaces extends Component {
  static template = "console.FlowInterfaces";
  static props = { asked: Object, params: Object, onKeep: Function };

  setup() {
    this.reading = useFollowed("flows/interfaces", ({ asked }) => [asked, null]);
    this.bytes = bytes;
    this.ratio = (value) => percent(known(value) ? value * 100 : null);
    this.off = (value) => known(value) && (value < LOW || value > HIGH);
  }

  get answer() {
    return this.reading.answer;
  }

  get span() {
    const { start_us: startUs, end_us: endUs } = this.answer;
    return `${dateTime(startUs).slice(0, 16)} to ${dateTime(endUs).slice(0, 16)}`;
  }

  get rows() {
    return this.answer.interfaces.map((one) => ({
      ...one,
      id: `${one.device_id}/${one.index}`,
      href: formatHash(`devices/${encodeURIComponent(one.device_id)}`),
      router: plainText(one.device) || "Removed router",
      name: plainText(one.name) || `#${one.index}`,
    }));
  }
}
