import { bitRate, bytes, count, known, perSecond, plainText } from "#shared/lib/format.js";

/** What flows are summed up by, in the words of people; the names are those of the daemon. */
export const DIMENSIONS = [
  { key: "src_address", label: "Source addresses" },
  { key: "dst_address", label: "Destination addresses" },
  { key: "conversation", label: "Conversations" },
  { key: "src_port", label: "Source ports" },
  { key: "dst_port", label: "Destination ports" },
  { key: "protocol", label: "Protocols" },
  { key: "src_as", label: "Source AS" },
  { key: "dst_as", label: "Destination AS" },
  { key: "in_interface", label: "Interfaces in" },
  { key: "out_interface", label: "Interfaces out" },
  { key: "src_country", label: "Source countries" },
  { key: "dst_country", label: "Destination countries" },
  { key: "traffic", label: "Direction of traffic" },
  { key: "total", label: "Everything" },
];

export const ORDERS = [
  { key: "octets", label: "Octets" },
  { key: "packets", label: "Packets" },
  { key: "flows", label: "Flows" },
];

export const WINDOWS = [
  { seconds: 900, label: "15 min" },
  { seconds: 3600, label: "1 h" },
  { seconds: 21600, label: "6 h" },
  { seconds: 86400, label: "24 h" },
  { seconds: 604800, label: "7 d" },
  { seconds: 2592000, label: "30 d" },
];

const PROTOCOLS = new Map([
  ["1", "ICMP"],
  ["2", "IGMP"],
  ["6", "TCP"],
  ["17", "UDP"],
  ["33", "DCCP"],
  ["47", "GRE"],
  ["50", "ESP"],
  ["51", "AH"],
  ["58", "ICMPv6"],
  ["89", "OSPF"],
  ["132", "SCTP"],
]);

export function dimensionLabel(key) {
  return DIMENSIONS.find((one) => one.key === key)?.label ?? key;
}

/** A protocol by its number: "TCP (6)". */
export function protocolText(number) {
  if (!known(number)) return "";
  const name = PROTOCOLS.get(String(number));
  return name ? `${name} (${number})` : String(number);
}

/** A key of a dimension as people read it. */
export function keyText(dimension, { key, label }) {
  if (dimension === "total") return "Everything";
  if (dimension === "protocol") return protocolText(key);
  if (!key) return "Not known";
  if (label) return `${plainText(label)} (${key})`;
  if (dimension === "src_as" || dimension === "dst_as") return key === "0" ? "Not known" : `AS${key}`;
  return key;
}

/** What it comes to, in its unit. */
export function amountText(value, order) {
  return order === "octets" ? bytes(value) : count(value);
}

/** How much that is in a second, of a step of so many. */
export function paceText(value, order) {
  return order === "octets" ? bitRate(value) : perSecond(value);
}

/** An amount of a step, as a pace: bits, packets or flows a second. */
export function paceOf(amount, order, stepS) {
  return (Number(amount) * (order === "octets" ? 8 : 1)) / stepS;
}

const two = (part) => String(part).padStart(2, "0");

/** A time as fields of forms have it, here: "2026-11-25T14:03:22". */
export function fieldOf(tUs) {
  if (!known(tUs)) return "";
  const at = new Date(tUs / 1000);
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day}T${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** The time that a field of a form has; null if it has none. */
export function timeOf(text) {
  const ms = new Date(text).getTime();
  return text && Number.isFinite(ms) ? ms * 1000 : null;
}
