/** @odoo-module **/
import { known, plainText } from "./format.js";

const yes = (value) => value === "true" || value === "yes";

function stateOf(fields, detail, id) {
  const admin = detail?.get("iface.admin_state", id);
  const oper = detail?.get("iface.oper_state", id);
  const disabled = known(admin?.v) ? admin.v === 0 : yes(fields.disabled);
  if (disabled) return "disabled";
  if (known(oper?.v)) return oper.v === 1 ? "up" : "down";
  if (fields.running === undefined) return "unknown";
  return yes(fields.running) ? "up" : "down";
}

const RATES = {
  rxBps: "iface.rx_bps",
  txBps: "iface.tx_bps",
  rxErrors: "iface.rx_errors_per_s",
  txErrors: "iface.tx_errors_per_s",
  rxDrops: "iface.rx_drops_per_s",
  txDrops: "iface.tx_drops_per_s",
  rxErrorsTotal: "iface.rx_errors_total",
  txErrorsTotal: "iface.tx_errors_total",
  rxDropsTotal: "iface.rx_drops_total",
  txDropsTotal: "iface.tx_drops_total",
  rxBytesTotal: "iface.rx_bytes_total",
  txBytesTotal: "iface.tx_bytes_total",
  linkDowns: "iface.link_downs_total",
  linkBps: "iface.link_speed_bps",
};

const seenOf = (value) => (known(value?.v) ? { tUs: value.tUs, group: value.group } : null);

function sum(a, b) {
  return known(a) || known(b) ? Number(a ?? 0) + Number(b ?? 0) : null;
}

// Counters have 64 bits: a number would round them.
function exactSum(...counters) {
  const there = counters.filter(known);
  return there.length ? there.reduce((total, counter) => total + BigInt(counter), 0n).toString() : null;
}

/** One row of an interface table: what the inventory knows joined with the newest values. */
export function interfaceRow(inventory, detail) {
  const { id, name, label, comment, type, fields = {} } = inventory;
  const row = { id, name, label: plainText(label || name), comment: plainText(comment), type: plainText(type), fields, tUs: detail?.get("iface.rx_bps", id)?.tUs ?? null, group: detail?.get("iface.rx_bps", id)?.group ?? null };
  // Poll groups have clocks of their own: each value is judged by when it was read.
  row.seen = { state: seenOf(detail?.get("iface.oper_state", id)) };
  for (const [member, metric] of Object.entries(RATES)) {
    const value = detail?.get(metric, id);
    row[member] = value?.v ?? null;
    row.seen[member] = seenOf(value);
  }
  row.state = stateOf(fields, detail, id);
  // Which tier its counters are read at, and why.
  row.tier = inventory.tier ?? null;
  row.why = inventory.why ?? "";
  // The daemon says which are ports: it sums them, too.
  row.physical = inventory.physical === true;
  row.faults = sum(sum(row.rxErrors, row.txErrors), sum(row.rxDrops, row.txDrops));
  row.faultsTotal = exactSum(row.rxErrorsTotal, row.txErrorsTotal, row.rxDropsTotal, row.txDropsTotal);
  const busiest = known(row.rxBps) || known(row.txBps) ? Math.max(row.rxBps ?? 0, row.txBps ?? 0) : null;
  row.utilisation = known(row.linkBps) && row.linkBps > 0 && busiest !== null ? (100 * busiest) / row.linkBps : null;
  return row;
}

/** Rows of all interfaces; those that only the values know are listed too. */
export function interfaceRows(interfaces, detail) {
  const rows = interfaces.map((inventory) => interfaceRow(inventory, detail));
  const listed = new Set(interfaces.map(({ id }) => id));
  for (const { instance, label } of detail?.all("iface.rx_bps") ?? []) {
    if (!listed.has(instance)) rows.push(interfaceRow({ id: instance, name: label, label, type: null }, detail));
  }
  return rows;
}

/** The sum of the newest values of some interfaces, of those that are fresh; null if none is. */
export function sumNewest(detail, metric, instances, isFresh) {
  let total = null;
  for (const instance of instances) {
    const value = detail.get(metric, instance);
    if (known(value?.v) && isFresh(value.tUs, value.group)) total = (total ?? 0) + value.v;
  }
  return total;
}

/**
 * The sum over physical ports at one time: from the values of a message, and of ports that are read with another
 * poll group from their newest. `newest(instance)` gives that, or null. Null if no port has a rate.
 */
export function sumPorts(values, metric, instances, newest = () => null) {
  let total = null;
  for (const instance of instances) {
    const id = `${metric}|${instance}`;
    const value = values.has(id) ? values.get(id) : newest(instance);
    if (known(value)) total = (total ?? 0) + value;
  }
  return total;
}
