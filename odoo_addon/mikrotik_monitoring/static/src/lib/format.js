/** @odoo-module **/
import { word } from "./words.js";

// Values as an operator reads them. What isn't known is a dash, never 0.

export const UNKNOWN = "–";

const BIT_STEPS = ["", "k", "M", "G", "T", "P"];
const BYTE_STEPS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

export function known(value) {
  return value !== null && value !== undefined && !Number.isNaN(value);
}

/** A value for an attribute: OWL leaves out what is undefined, but writes null as a word. */
export function raw(value) {
  return known(value) ? value : undefined;
}

// Marks that turn the direction of what follows, and controls: with them one text can look like another.
const TURNS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g;

/** A text that a router gave, as it may be shown next to others. */
export function plainText(text) {
  return known(text) ? String(text).replace(TURNS, "").replace(CONTROLS, " ") : "";
}

/** A reason as a sentence begins. */
export function sentence(text) {
  return text ? text[0].toUpperCase() + text.slice(1) : "";
}

/** "7.16.2 (stable)" without the channel. */
export function shortVersion(version) {
  return (version ?? "").replace(/ \(.*$/, "");
}

/** Rounded; what rounds to nothing has no sign. */
function fixed(value, digits) {
  return Number(value).toFixed(digits).replace(/^-(?=[0.]+$)/, "");
}

/** Three digits that matter: 1.23, 12.3, 123. */
function threeDigits(value) {
  const size = Math.abs(value);
  if (size >= 99.95 || Number.isInteger(value)) return fixed(value, 0);
  return fixed(value, size >= 9.995 ? 1 : 2);
}

function scaled(value, factor, steps) {
  let step = 0;
  let size = value;
  while (Math.abs(size) >= factor * 0.9995 && step < steps.length - 1) {
    size /= factor;
    step += 1;
  }
  return [size, steps[step]];
}

/** Bits per second: "12.3 Mbps". */
export function bitRate(value) {
  if (!known(value)) return UNKNOWN;
  const [size, step] = scaled(Number(value), 1000, BIT_STEPS);
  return `${step ? threeDigits(size) : Math.round(size)} ${step}bps`;
}

/** Bytes, of a number or of a decimal string of any length: "1.50 GiB". */
export function bytes(value) {
  if (!known(value)) return UNKNOWN;
  const [size, step] = scaled(Number(value), 1024, BYTE_STEPS);
  return `${threeDigits(step === "B" ? Math.round(size) : size)} ${step}`;
}

export function bytesPerSecond(value) {
  return known(value) ? `${bytes(value)}/s` : UNKNOWN;
}

export function percent(value) {
  if (!known(value)) return UNKNOWN;
  const size = Number(value);
  return `${size > 0 && size < 10 && !Number.isInteger(size) ? size.toFixed(1) : Math.round(size)} %`;
}

/** A whole number, exact, in groups of three: 18 446 744 073 709 551 615. Takes strings and BigInt as well. */
export function count(value) {
  if (!known(value)) return UNKNOWN;
  const exact = typeof value === "number" ? Math.round(value) : value;
  const text = BigInt(exact).toString();
  return text.replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** Things per second, with as many digits as say something. */
export function perSecond(value) {
  if (!known(value)) return UNKNOWN;
  const size = Number(value);
  if (size === 0) return "0/s";
  if (Math.abs(size) < 0.01) return "<0.01/s";
  const [short, step] = scaled(size, 1000, BIT_STEPS);
  return `${threeDigits(short)}${step ? ` ${step}` : ""}/s`;
}

/** How long: "12 d 4 h", "4 h 03 min", "3 min 12 s", "12 s". */
export function duration(seconds) {
  if (!known(seconds)) return UNKNOWN;
  const whole = Math.max(0, Math.floor(Number(seconds)));
  const [d, h] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24];
  const [m, s] = [Math.floor(whole / 60) % 60, whole % 60];
  const two = (part) => String(part).padStart(2, "0");
  if (d) return d < 100 ? `${d} d ${h} h` : `${d} d`;
  if (h) return `${h} h ${two(m)} min`;
  return m ? `${m} min ${two(s)} s` : `${s} s`;
}

/** How long ago, in one unit: "2 s ago". Times ahead of now count as now. */
export function age(tUs, nowUs) {
  if (!known(tUs)) return word("never");
  const span = elapsed(tUs, nowUs);
  return span ? word("%s ago", span) : word("now");
}

/** How long something has lasted, in one unit: "2 s". Less than a second is told by no text at all. */
export function elapsed(tUs, nowUs) {
  const seconds = Math.max(0, Math.floor((nowUs - tUs) / 1e6));
  if (seconds < 1) return "";
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

const two = (part) => String(part).padStart(2, "0");

/** The time of day here: "14:03:22". */
export function clockTime(tUs) {
  if (!known(tUs)) return UNKNOWN;
  const at = new Date(tUs / 1000);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** Day and time here: "2026-11-25 14:03:22". */
export function dateTime(tUs) {
  if (!known(tUs)) return UNKNOWN;
  const at = new Date(tUs / 1000);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clockTime(tUs)}`;
}

/** Only as much of the date as is needed: the time today, else day and time. */
export function shortTime(tUs, nowUs) {
  if (!known(tUs)) return UNKNOWN;
  const same = new Date(tUs / 1000).toDateString() === new Date(nowUs / 1000).toDateString();
  return same ? clockTime(tUs) : dateTime(tUs).slice(5, 16);
}

/** Seconds that may be parts of one: "12 ms", "0.4 s". */
function shortSeconds(value) {
  if (!known(value) || value >= 10 || value === 0) return duration(value);
  return value < 0.1 ? `${Math.round(value * 1000)} ms` : `${Number(value).toFixed(1)} s`;
}

const plain = (unit, digits) => (value) => (known(value) ? `${fixed(value, digits)} ${unit}` : UNKNOWN);

const BY_UNIT = {
  bits_per_second: bitRate,
  bytes,
  bytes_per_second: bytesPerSecond,
  percent,
  seconds: shortSeconds,
  events_per_second: perSecond,
  packets_per_second: perSecond,
  events: count,
  packets: count,
  count,
  celsius: plain("°C", 0),
  volts: plain("V", 1),
  amperes: plain("A", 2),
  watts: plain("W", 1),
  rpm: plain("rpm", 0),
  dbm: plain("dBm", 1),
  hertz: (value) => (known(value) ? `${(Number(value) / 1e6).toFixed(0)} MHz` : UNKNOWN),
};

/** A value by the name of its unit in the catalogue. */
export function byUnit(value, unit) {
  if (!known(value)) return UNKNOWN;
  const format = BY_UNIT[unit];
  if (format) return format(value);
  const text = typeof value === "number" && !Number.isInteger(value) ? threeDigits(value) : String(value);
  return unit && unit !== "state" ? `${text} ${unit.replaceAll("_", " ")}` : text;
}
