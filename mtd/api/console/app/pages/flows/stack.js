// What a chart of stacked steps shows, and its ticks.

/** Keys that a chart tells apart: more of them nobody could. */
export const SHOWN = 8;
export const OTHERS = "All others";

/**
 * Series of an answer as a chart stacks them, the largest first and all others last: in each step they add up to everything.
 * Where nothing is stored there is no step, and no value.
 */
export function stackOf(answer, label, pace) {
  const shown = answer.series.slice(0, SHOWN).map((one) => ({ label: label(one), values: one.values.map(pace) }));
  const folded = answer.series.slice(SHOWN);
  const others = answer.others.map((value, place) => folded.reduce((sum, { values }) => sum + Number(values[place]), Number(value)));
  if (others.some((value) => value > 0)) shown.push({ label: OTHERS, values: others.map(pace), others: true });
  return shown;
}

const MINUTE_MS = 60000;
const DAY_MS = 86400000;
const STEPS_MS = [1, 5, 10, 15, 30, 60, 120, 180, 360, 720].map((minutes) => minutes * MINUTE_MS);
const DAYS = [1, 2, 7, 14, 28, 56];

/** Ticks at round times of day, or at midnights, as many as the width bears. */
export function ticksOf(minMs, maxMs, most) {
  const span = maxMs - minMs;
  const step = STEPS_MS.find((one) => span / one <= most);
  if (step !== undefined && step < DAY_MS) return byStep(minMs, maxMs, step);
  return byDays(minMs, maxMs, DAYS.find((days) => span / (days * DAY_MS) <= most) ?? DAYS.at(-1));
}

function byStep(minMs, maxMs, step) {
  const zone = new Date(maxMs).getTimezoneOffset() * MINUTE_MS;
  const ticks = [];
  for (let at = Math.ceil((minMs - zone) / step) * step + zone; at <= maxMs; at += step) ticks.push({ value: at });
  return ticks;
}

function byDays(minMs, maxMs, days) {
  const at = new Date(minMs);
  at.setHours(24, 0, 0, 0);
  const ticks = [];
  for (; at.getTime() <= maxMs; at.setDate(at.getDate() + days)) ticks.push({ value: at.getTime() });
  return ticks;
}

/** The text at a tick: the time of day, or the day where days are shown. */
export function tickText(ms, spanMs) {
  const at = new Date(ms);
  const two = (part) => String(part).padStart(2, "0");
  const day = `${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  if (spanMs > 5 * DAY_MS) return day;
  const time = `${two(at.getHours())}:${two(at.getMinutes())}`;
  return spanMs > DAY_MS && time === "00:00" ? day : time;
}
