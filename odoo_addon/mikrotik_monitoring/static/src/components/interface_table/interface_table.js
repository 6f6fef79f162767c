/** @odoo-module **/
import { Component, useState } from "@odoo/owl";
import { bitRate, bytes, count, dateTime, known, percent, perSecond, raw } from "../../lib/format.js";
import { searchWords } from "../../lib/fleet.js";
import { sortedBy } from "../../lib/sorting.js";
import { word } from "../../lib/words.js";
import { levelOf } from "../meter/meter.js";
import { SearchField } from "../search_field/search_field.js";
import { SortHeader } from "../sort_header/sort_header.js";
import { Sparkline } from "../sparkline/sparkline.js";

const columns = () => [
  { key: "label", label: word("Interface") },
  { key: "state", label: word("State") },
  { key: "type", label: word("Type") },
  { key: "rxBps", label: word("Received"), right: true },
  { key: "txBps", label: word("Sent"), right: true },
  { key: "spark", label: word("5 minutes") },
  { key: "utilisation", label: word("Link"), right: true, hint: word("Speed of the link and the share of it in use") },
  { key: "faults", label: word("Errors, drops"), right: true, hint: word("Packets lost to errors and drops, both ways, per second") },
  { key: "faultsTotal", label: word("Lost in all"), right: true, hint: word("Packets lost to errors and drops since the counters began") },
  { key: "linkDowns", label: word("Link lost"), right: true, hint: word("Times that the link was lost") },
  { key: "rxBytesTotal", label: word("Received in all"), right: true },
  { key: "txBytesTotal", label: word("Sent in all"), right: true },
  { key: "tier", label: word("Read"), hint: word("How often its counters are read, and why") },
];

const states = () => ({ up: word("Up"), down: word("Down"), disabled: word("Disabled"), unknown: word("Unknown") });
const FIRST = 64;

/** The interfaces of a router. Rows are those of `interfaceRows`, sparks of an id come from `sparks`. */
export class InterfaceTable extends Component {
  static template = "mikrotik_monitoring.InterfaceTable";
  static components = { SearchField, SortHeader, Sparkline };
  static props = {
    rows: Array,
    sparks: Function, // id => {rx, tx}
    isStale: Function, // (tUs, poll group) => boolean
    intervals: { type: Object, optional: true }, // seconds between reads by tier
    selected: { type: String, optional: true },
    onSelect: { type: Function, optional: true },
    empty: { type: String, optional: true }, // what is said where there are none
  };

  raw = raw;
  word = word;
  faults = FAULTS;
  faultsTotal = FAULTS_TOTAL;

  setup() {
    this.columns = columns();
    this.states = states();
    this.state = useState({ sort: "label", descending: false, query: "", activeOnly: false, all: false });
  }

  get shown() {
    const words = searchWords(this.state.query);
    const wanted = this.props.rows.filter((row) => this.wanted(row, words));
    const { sort, descending } = this.state;
    const key = sort === "spark" ? (row) => row.rxBps : (row) => (row[sort] === null ? null : numeric(row[sort]));
    const sorted = sortedBy(wanted, key, descending, (row) => row.label);
    return { rows: this.state.all ? sorted : sorted.slice(0, FIRST), matching: sorted.length };
  }

  wanted(row, words) {
    if (this.state.activeOnly && row.state !== "up") return false;
    const text = `${row.label}\n${row.name}\n${row.comment ?? ""}\n${row.type ?? ""}`.toLowerCase();
    return words.every((one) => text.includes(one));
  }

  onSearch(query) {
    this.state.query = query;
  }

  sortBy(column) {
    const numbers = !["label", "state", "type", "tier"].includes(column);
    this.state.descending = this.state.sort === column ? !this.state.descending : numbers;
    this.state.sort = column;
  }

  cells(row) {
    return {
      state: this.states[row.state],
      rx: bitRate(row.rxBps),
      tx: bitRate(row.txBps),
      link: known(row.linkBps) ? bitRate(row.linkBps) : "–",
      use: known(row.utilisation) ? percent(row.utilisation) : "",
      useLevel: levelOf(row.utilisation),
      faults: perSecond(row.faults),
      losing: row.faults > 0,
      faultsHint: faultsHint(row),
      faultsTotal: count(row.faultsTotal),
      linkDowns: count(row.linkDowns),
      rxTotal: bytes(row.rxBytesTotal),
      txTotal: bytes(row.txBytesTotal),
      tier: this.every(row.tier),
      stale: this.isOld(row),
      at: known(row.tUs) ? word("As of %s", dateTime(row.tUs)) : word("Not known"),
    };
  }

  isOld({ tUs, group }) {
    return known(tUs) && this.props.isStale(tUs, group ?? "t0");
  }

  every(tier) {
    const seconds = this.props.intervals?.[tier];
    return known(seconds) ? word("each %s s", seconds) : (tier ?? "–");
  }

  /** The class of a cell that is made of these members: marked if one of them is old. */
  mark(row, ...members) {
    return members.some((member) => this.old(row.seen[member])) ? " mtd-stale" : "";
  }

  old(seen) {
    return Boolean(seen) && this.props.isStale(seen.tUs, seen.group);
  }
}

// What is shown as one value is as old as the oldest part of it.
export const FAULTS = ["rxErrors", "txErrors", "rxDrops", "txDrops"];
export const FAULTS_TOTAL = FAULTS.map((member) => `${member}Total`);

const numeric = (value) => (typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value);

function faultsHint(row) {
  const line = (name, rate, total) => `${name}: ${perSecond(rate)}, ${word("%s in all", count(total))}`;
  return [
    line(word("Receive errors"), row.rxErrors, row.rxErrorsTotal),
    line(word("Send errors"), row.txErrors, row.txErrorsTotal),
    line(word("Receive drops"), row.rxDrops, row.rxDropsTotal),
    line(word("Send drops"), row.txDrops, row.txDropsTotal),
    word("Link lost: %s times", count(row.linkDowns)),
  ].join("\n");
}
