/** @odoo-module **/
import { Component, useState } from "@odoo/owl";
import { bitRate, bytes, count, dateTime, known, percent, perSecond, raw } from "../../lib/format.js";
import { searchWords } from "../../lib/fleet.js";
import { sortedBy } from "../../lib/sorting.js";
import { levelOf } from "../meter/meter.js";
import { SearchField } from "../search_field/search_field.js";
import { SortHeader } from "../sort_header/sort_header.js";
import { Sparkline } from "../sparkline/sparkline.js";

export const COLUMNS = [
  { key: "label", label: "Interface" },
  { key: "state", label: "State" },
  { key: "type", label: "Type" },
  { key: "rxBps", label: "Received", right: true },
  { key: "txBps", label: "Sent", right: true },
  { key: "spark", label: "5 minutes" },
  { key: "utilisation", label: "Link", right: true, hint: "Speed of the link and the share of it in use" },
  { key: "faults", label: "Errors, drops", right: true, hint: "Packets lost to errors and drops, both ways, per second" },
  { key: "faultsTotal", label: "Lost in all", right: true, hint: "Packets lost to errors and drops since the counters began" },
  { key: "linkDowns", label: "Link lost", right: true, hint: "Times that the link was lost" },
  { key: "rxBytesTotal", label: "Received in all", right: true },
  { key: "txBytesTotal", label: "Sent in all", right: true },
  { key: "tier", label: "Read", hint: "How often its counters are read, and why" },
];

const STATES = { up: "Up", down: "Down", disabled: "Disabled", unknown: "Unknown" };
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
  faults = FAULTS;
  faultsTotal = FAULTS_TOTAL;

  setup() {
    this.columns = COLUMNS;
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
    return words.every((word) => text.includes(word));
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
      state: STATES[row.state],
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
      at: known(row.tUs) ? `As of ${dateTime(row.tUs)}` : "Not known",
    };
  }

  isOld({ tUs, group }) {
    return known(tUs) && this.props.isStale(tUs, group ?? "t0");
  }

  every(tier) {
    const seconds = this.props.intervals?.[tier];
    return known(seconds) ? `each ${seconds} s` : (tier ?? "–");
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
  const line = (name, rate, total) => `${name}: ${perSecond(rate)}, ${count(total)} in all`;
  return [
    line("Receive errors", row.rxErrors, row.rxErrorsTotal),
    line("Send errors", row.txErrors, row.txErrorsTotal),
    line("Receive drops", row.rxDrops, row.rxDropsTotal),
    line("Send drops", row.txDrops, row.txDropsTotal),
    `Link lost: ${count(row.linkDowns)} times`,
  ].join("\n");
}
