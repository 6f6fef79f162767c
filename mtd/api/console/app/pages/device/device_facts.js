import { Component } from "@odoo/owl";
import { labelsText } from "#shared/lib/fleet.js";
import { dateTime } from "#shared/lib/format.js";

const TLS = { off: "API without TLS", verify: "API with TLS, certificate verified", pinned: "API with TLS, pinned certificate", anonymous: "API with TLS, no certificate", insecure: "API with TLS, certificate not verified" };
const interval = (seconds) => (seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`);
const TIERS = { t0: "live values", t1: "sessions", t2: "slow values", t3: "inventory" };

/** What is known of a router that doesn't move, and what it can do. */
export class DeviceFacts extends Component {
  static template = "console.DeviceFacts";
  static props = { device: Object, capabilities: Array };

  /** What it can do first; names as people write them. */
  get capabilities() {
    const named = this.props.capabilities.map((one) => ({ ...one, text: one.name.replaceAll("_", " ") }));
    return [...named.filter(({ present }) => present), ...named.filter(({ present }) => !present)];
  }

  get rows() {
    const { device } = this.props;
    const intervals = Object.entries(device.intervals_s ?? {}).map(([tier, s]) => `${TIERS[tier] ?? tier} every ${interval(s)}`);
    return [
      ["Address", device.host && `${device.host}${device.port ? `, port ${device.port}` : ""}`],
      ["Access", TLS[device.tls_mode] ?? device.tls_mode],
      ["User", device.username],
      ["Serial number", device.serial_number],
      ["Architecture", device.architecture],
      ["Polled", intervals.join(", ")],
      ["Labels", labelsText(device.labels)],
      ["Added", device.created_us && dateTime(device.created_us)],
      ["Notes", device.notes],
    ].filter(([, text]) => text);
  }
}
