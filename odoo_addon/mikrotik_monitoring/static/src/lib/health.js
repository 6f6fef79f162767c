/** @odoo-module **/
import { known } from "./format.js";

const CUT_US = 1;

/**
 * Cut segments to a window and tell how wide each is, as shares of 1000. Segments too thin to see
 * get one share at least, so that a minute of trouble in a day isn't lost.
 */
export function timeline(segments, fromUs, toUs) {
  const whole = Math.max(CUT_US, toUs - fromUs);
  return segments
    .filter((segment) => segment.to_us > fromUs && segment.from_us < toUs)
    .map((segment) => {
      const from = Math.max(segment.from_us, fromUs);
      const to = Math.min(segment.to_us, toUs);
      const x = (1000 * (from - fromUs)) / whole;
      const width = Math.max(segment.status === "up" ? 0 : 2, (1000 * (to - from)) / whole);
      return { ...segment, from_us: from, to_us: to, x: Math.min(x, 1000 - width), width };
    });
}

/** Where a bar begins: a day ago, or when something was first known, with a quarter of an hour at least. */
export function barStart(segments, nowUs, wholeUs) {
  const first = segments.find(({ status }) => status !== "unknown")?.from_us ?? nowUs - wholeUs;
  return Math.max(nowUs - wholeUs, Math.min(first, nowUs - 900e6));
}

/** The share of known time that the device was up or degraded, in percent; null if nothing is known. */
export function availability(segments) {
  let good = 0;
  let all = 0;
  for (const { status, from_us: from, to_us: to } of segments) {
    if (status === "unknown" || status === "disabled" || !known(from)) continue;
    all += to - from;
    if (status !== "down") good += to - from;
  }
  return all ? (100 * good) / all : null;
}

/**
 * Let the last segment reach to now, or, when the status is another one by now, to where that began.
 * Nobody knows when it began without `sinceUs`: then nothing is added.
 */
export function extendTo(segments, nowUs, { status, reason, since_us: sinceUs }) {
  const last = segments.at(-1);
  if (!last || nowUs <= last.to_us) return segments;
  if (last.status === status) return [...segments.slice(0, -1), { ...last, to_us: nowUs }];
  if (!known(sinceUs)) return segments;
  const from = sinceUs > last.from_us ? Math.min(sinceUs, nowUs) : last.to_us;
  return [...segments.slice(0, -1), { ...last, to_us: from }, { from_us: from, to_us: nowUs, status, reason }];
}
