/** @odoo-module **/

const BACKOFF_MS = [250, 500, 1000, 2000, 4000, 8000];

/** How long to wait before the next try, spread so that a hundred screens don't call at once. */
export function backoffMs(attempt, random = Math.random) {
  const base = BACKOFF_MS[Math.min(attempt, BACKOFF_MS.length - 1)];
  return base * (0.75 + 0.5 * random());
}
