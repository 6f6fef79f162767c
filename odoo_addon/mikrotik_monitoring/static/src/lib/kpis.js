/** @odoo-module **/
import { bitRate, byUnit, bytes, dateTime, duration, known, percent, perSecond, plainText } from "./format.js";
import { word } from "./words.js";

const WARM_C = 70;
const HOT_C = 85;
const DAY_S = 86400;

function level(value, warn, bad) {
  if (!known(value)) return "";
  if (value >= bad) return "bad";
  return value >= warn ? "warn" : "";
}

function share(detail, id, label, free, total) {
  const [left, all] = [detail.get(free), detail.get(total)];
  const pct = known(left?.v) && known(all?.v) && all.v > 0 ? 100 * (1 - left.v / all.v) : null;
  const sub = pct === null ? "" : word("%s free", bytes(left.v));
  return { id, label, value: pct, text: percent(pct), sub, pct, tUs: left?.tUs, group: left?.group, level: level(pct, 85, 95) };
}

// Of several sensors the highest is told: it is the one that matters.
function sensor(detail, metric, id, label, levelFor = () => "") {
  const all = detail.all(metric).filter(({ v }) => known(v));
  if (!all.length) return null;
  const most = all.reduce((a, b) => (b.v > a.v ? b : a));
  const name = plainText(most.label || most.instance);
  const alone = name.toLowerCase() === id ? "" : name;
  const sub = all.length > 1 ? word("highest of %s", all.length) : alone;
  return { id, label, value: most.v, text: byUnit(most.v, most.unit), sub, tUs: most.tUs, group: most.group, level: levelFor(most.v) };
}

function traffic(values, id, label, member, tone) {
  const value = values?.[member] ?? null;
  return { id, label, value, text: bitRate(value), sub: word("physical ports"), tUs: values?.t_us, group: "t0", tone };
}

function cpu(detail) {
  const load = detail.get("system.cpu.load_pct");
  const cores = detail.all("system.core.load_pct").length;
  const sub = cores ? (cores === 1 ? word("1 core") : word("%s cores", cores)) : "";
  return {
    id: "system.cpu.load_pct",
    label: word("CPU"),
    value: load?.v ?? null,
    text: percent(load?.v),
    sub,
    pct: load?.v ?? null,
    tUs: load?.tUs,
    group: load?.group,
    level: level(load?.v, 75, 90),
  };
}

function uptime(detail) {
  const up = detail.get("system.uptime_seconds");
  const text = up?.v >= 10 * DAY_S ? `${Math.floor(up.v / DAY_S)} d` : duration(up?.v);
  const sub = known(up?.v) ? word("since %s", dateTime(up.tUs - up.v * 1e6).slice(0, 10)) : "";
  return { id: "system.uptime_seconds", label: word("Uptime"), value: up?.v ?? null, text, sub, tUs: up?.tUs, group: up?.group };
}

function losses(values) {
  const value = values?.errors_per_s ?? null;
  const sub = word("physical ports");
  return { id: "errors_per_s", label: word("Errors"), value, text: perSecond(value), sub, tUs: values?.t_us, group: "t0", level: value > 0 ? "warn" : "" };
}

/** The figures at the head of a router's page; sensors only where the router has them. */
export function kpis(detail, values) {
  return [
    traffic(values, "rx_bps", word("Received"), "rx_bps", "rx"),
    traffic(values, "tx_bps", word("Sent"), "tx_bps", "tx"),
    cpu(detail),
    share(detail, "mem_pct", word("Memory"), "system.memory.free_bytes", "system.memory.total_bytes"),
    share(detail, "disk_pct", word("Disk"), "system.disk.free_bytes", "system.disk.total_bytes"),
    uptime(detail),
    losses(values),
    sensor(detail, "system.health.temperature_celsius", "temperature", word("Temperature"), (v) => level(v, WARM_C, HOT_C)),
    sensor(detail, "system.health.voltage_volts", "voltage", word("Voltage")),
    sensor(detail, "system.health.power_watts", "power", word("Power")),
  ].filter(Boolean);
}
