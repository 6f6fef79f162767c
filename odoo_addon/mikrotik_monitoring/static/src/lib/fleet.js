/** @odoo-module **/
import { plainText, sentence } from "./format.js";
import { sortedBy } from "./sorting.js";
import { word } from "./words.js";

/** What a device can be, worst first: the order of the summary and of the column. Texts are looked up when they are read. */
export const STATUSES = [
  { key: "down", get label() { return word("Down"); }, get means() { return word("The router doesn't answer"); } },
  { key: "degraded", get label() { return word("Degraded"); }, get means() { return word("It answers, but something is wrong"); } },
  { key: "unknown", get label() { return word("Unknown"); }, get means() { return word("Not polled yet"); } },
  { key: "up", get label() { return word("Up"); }, get means() { return word("All is well"); } },
  { key: "disabled", get label() { return word("Disabled"); }, get means() { return word("Switched off in the inventory"); } },
];

const RANK = new Map(STATUSES.map((status, index) => [status.key, index]));

export function statusLabel(key) {
  return STATUSES.find((status) => status.key === key)?.label ?? word("Unknown");
}

/** Why a device is as it is; of one that is well there is nothing to say. */
export function reasonOf({ status, reason }) {
  return status === "up" ? "" : sentence(plainText(reason));
}

export function labelsText(labels) {
  return Object.entries(labels ?? {})
    .map(([name, value]) => (value ? `${name}=${value}` : name))
    .map(plainText)
    .join(" ");
}

/** Whether each word of the search is somewhere in what names the device. */
export function matches(row, words) {
  if (!words.length) return true;
  const text = [row.name, row.host, row.board, row.version, row.identity, labelsText(row.labels)]
    .join("\n")
    .toLowerCase();
  return words.every((one) => text.includes(one));
}

export function searchWords(text) {
  return (text ?? "").toLowerCase().split(/\s+/).filter(Boolean);
}

/** How many devices have each status. */
export function countByStatus(rows) {
  const counts = Object.fromEntries(STATUSES.map(({ key }) => [key, 0]));
  for (const row of rows) counts[row.status] = (counts[row.status] ?? 0) + 1;
  return counts;
}

const RANKED = { cpu: 0, mem: 1, rx: 2, tx: 3, errors: 4, uptime: 5 };

/** Columns that are sorted by what moves. */
export function isLiveColumn(column) {
  return column in RANKED || column === "traffic" || column === "seen";
}

function keyOf(column, { rank, seenUs }) {
  if (column in RANKED) return (row) => rank.get(row.id)?.[RANKED[column]];
  switch (column) {
    case "status":
      return (row) => RANK.get(row.status);
    case "model":
      return (row) => row.board;
    case "labels":
      return (row) => labelsText(row.labels);
    case "version":
      return (row) => row.version;
    case "seen":
      return (row) => seenUs(row);
    case "traffic":
      return (row) => {
        const [, , rx, tx] = rank.get(row.id) ?? [];
        return rx === undefined || rx === null ? tx : rx + (tx ?? 0);
      };
    default:
      return (row) => row.name;
  }
}

/** The rows that a list shows, in order. `rank` is a Map of id to [cpu, memory, rx, tx, errors, uptime]. */
export function arrange(rows, { status, query, sort = "status", descending = false, rank, seenUs }) {
  const words = searchWords(query);
  const wanted = rows.filter((row) => (!status || row.status === status) && matches(row, words));
  return sortedBy(wanted, keyOf(sort, { rank, seenUs }), descending, (row) => row.name);
}
