import { Component, onMounted, onWillUnmount, onWillUpdateProps, useRef } from "@odoo/owl";
import { useRedraw } from "#shared/components/hooks.js";
import { bytes, clockTime, count, dateTime, known, plainText } from "#shared/lib/format.js";
import { FlowRecords } from "../../services/flow_records.js";
import { formatHash } from "../../services/router.js";
import { fieldOf, protocolText, timeOf } from "./flow_text.js";

const WINDOWS = [
  { seconds: 0, label: "that second" },
  { seconds: 10, label: "10 s around it" },
  { seconds: 60, label: "1 min around it" },
  { seconds: 600, label: "10 min around it" },
  { seconds: 1800, label: "30 min around it" },
  { seconds: 3600, label: "1 h around it" },
];
const PROTOCOLS = ["6", "17", "1", "58", "47", "50"];
// Shown in columns of their own; all else is listed.
const OWN = new Set(["start_ms", "end_ms", "src_address", "dst_address", "src_port", "dst_port", "protocol", "octets", "packets", "sampling"]);
const AFTER = ["post_nat_src_address", "post_nat_dst_address", "post_nat_src_port", "post_nat_dst_port"];

/** Who had an address and a port at a second: the records, before and after the translation of addresses. */
export class FlowSearch extends Component {
  static template = "console.FlowSearch";
  static props = { asked: Object, params: Object, onKeep: Function };

  setup() {
    this.windows = WINDOWS;
    this.protocols = PROTOCOLS.map((key) => ({ key, label: protocolText(key) }));
    this.log = new FlowRecords(this.env.http);
    this.form = useRef("form");
    this.filled = null;
    useRedraw(this.log, "change");
    onMounted(() => this.fill(this.props));
    onWillUpdateProps((props) => {
      this.log.want(this.wanted(props));
      this.fill(props);
    });
    onWillUnmount(() => this.log.close());
    this.nowUs = this.env.clock.nowUs();
    this.log.want(this.wanted(this.props));
  }

  wanted({ asked, params }) {
    const { address = "", port = "", protocol = "", at, window } = params;
    const timeUs = Number(at);
    if (!(address || port) || !Number.isSafeInteger(timeUs) || timeUs <= 0) return null;
    return { device: asked.device, address: address || null, port: port || null, protocol: protocol || null, time_us: timeUs, window_s: Number(window) || 0 };
  }

  /** What the address tells, as the fields have it. */
  fields({ params }) {
    const { address = "", port = "", protocol = "", at, window } = params;
    const within = Number(window) || 0;
    return {
      address,
      port,
      protocol: PROTOCOLS.includes(protocol) ? protocol : "",
      at: fieldOf(Number(at) || this.nowUs),
      window: WINDOWS.some(({ seconds }) => seconds === within) ? String(within) : "0",
    };
  }

  // Only when the address tells something else: records that come don't touch what one types.
  fill(props) {
    const fields = this.fields(props);
    const filled = JSON.stringify(fields);
    if (!this.form.el || filled === this.filled) return;
    this.filled = filled;
    for (const [name, value] of Object.entries(fields)) this.form.el.elements.namedItem(name).value = value;
  }

  get zone() {
    return Intl.DateTimeFormat().resolvedOptions().timeZone;
  }

  onSubmit(event) {
    event.preventDefault();
    const form = new FormData(event.target);
    const field = (name) => (form.get(name) ?? "").toString().trim();
    this.props.onKeep({
      address: field("address"),
      port: field("port"),
      protocol: field("protocol"),
      at: timeOf(field("at")) ?? "",
      window: field("window"),
    });
  }

  get rows() {
    return this.log.records.map((record, place) => ({
      place,
      record,
      times: timesOf(record),
      source: endOf(record.values, "src"),
      destination: endOf(record.values, "dst"),
      protocol: protocolText(record.values.protocol),
      octets: sampled(record.values, "octets", bytes),
      packets: sampled(record.values, "packets", count),
      through: throughOf(record),
      name: plainText(record.device) || "Removed router",
      href: record.device_id ? formatHash(`devices/${encodeURIComponent(record.device_id)}`) : null,
      more: moreOf(record),
    }));
  }

  get empty() {
    if (!this.log.wanted) return "Say an address, a port, or both, and when. Records are kept for some days (database.retention.flows_days).";
    if (!this.log.loaded) return "Looking through the records…";
    return this.log.truncated ? "Nothing so far: there is more to look through." : "No flow of that time fits.";
  }
}

function timesOf({ values, received_us: receivedUs }) {
  const [start, end] = [values.start_ms, values.end_ms].map((ms) => (known(ms) ? ms * 1000 : null));
  if (start === null && end === null) return { text: `came ${dateTime(receivedUs)}`, hint: "The exporter told no times" };
  const text = start === null ? `until ${dateTime(end)}` : `${dateTime(start)} to ${end === null ? "?" : clockTime(end)}`;
  return { text, hint: `Came ${dateTime(receivedUs)}` };
}

/** One end of a flow: address and port, and what they became. Only what the exporter told. */
function endOf(values, side) {
  const [address, port, newAddress, newPort] = ["", "post_nat_"].flatMap((when) => [values[`${when}${side}_address`], values[`${when}${side}_port`]]);
  const changed = (known(newAddress) && newAddress !== address) || (known(newPort) && newPort !== port);
  return { before: withPort(address, port) || "–", after: changed ? withPort(newAddress, newPort) : "" };
}

function withPort(address, port) {
  if (!address) return known(port) ? `port ${port}` : "";
  if (!known(port)) return address;
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

function sampled(values, name, format) {
  const value = values[name];
  if (!known(value)) return "–";
  return values.sampling > 1 ? `${format(value)} × ${values.sampling}` : format(value);
}

function throughOf({ values, in_interface: inName, out_interface: outName }) {
  const name = (told, number) => plainText(told) || (known(number) ? `#${number}` : "–");
  if (!known(values.in_interface) && !known(values.out_interface)) return "–";
  return `${name(inName, values.in_interface)} → ${name(outName, values.out_interface)}`;
}

function moreOf({ values, exporter }) {
  const told = Object.entries(values).filter(([name]) => !OWN.has(name) && !AFTER.includes(name));
  return [["exporter", exporter], ...told];
}
