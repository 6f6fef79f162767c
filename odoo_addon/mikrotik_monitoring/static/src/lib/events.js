/** @odoo-module **/

/**
 * Events of two lists as one, newest first, each once. What both a poll and a log line tell is told again when the
 * second of them has come: the newest telling counts.
 */
export function mergeEvents(shown, added) {
  const all = new Map([...shown, ...added].map((event) => [String(event.position), event]));
  const tellings = [...all.values()].filter(({ replaces }) => replaces?.length).sort((a, b) => Number(b.position) - Number(a.position));
  for (const { position, replaces } of tellings) if (all.has(String(position))) for (const old of replaces) all.delete(String(old));
  return [...all.values()].sort((a, b) => b.t_us - a.t_us || Number(b.position) - Number(a.position));
}
