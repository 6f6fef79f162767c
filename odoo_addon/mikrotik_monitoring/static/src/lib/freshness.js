/** @odoo-module **/
import { known } from "./format.js";

// Slow groups are old by nature: a value counts as stale after so many of its intervals.
const INTERVALS = 3;

/** Seconds after which a value of this poll group is stale. */
export function staleAfterS(group, intervalsS, staleAfter) {
  const interval = intervalsS?.[group];
  return known(interval) ? Math.max(staleAfter, INTERVALS * interval) : staleAfter;
}

/** Whether a value is too old to be taken for the present. What was never known isn't stale but absent. */
export function isStale(tUs, nowUs, staleAfter) {
  return known(tUs) && nowUs - tUs > staleAfter * 1e6;
}
