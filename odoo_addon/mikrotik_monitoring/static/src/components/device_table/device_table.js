/** @odoo-module **/
import { Component, onMounted, onPatched, onWillPatch, onWillUnmount, onWillUpdateProps, useRef, useState } from "@odoo/owl";
import { rowsInView, scrollToShow } from "../../lib/virtual.js";
import { word } from "../../lib/words.js";
import { isTyping, useListener } from "../hooks.js";
import { SortHeader } from "../sort_header/sort_header.js";
import { DeviceRow } from "./device_row.js";

const columns = () => [
  { key: "status", label: word("Status") },
  { key: "name", label: word("Router") },
  { key: "model", label: word("Model") },
  { key: "version", label: word("RouterOS") },
  { key: "seen", label: word("Last seen"), right: true },
  { key: "cpu", label: word("CPU"), right: true },
  { key: "mem", label: word("Memory"), right: true },
  { key: "rx", label: word("Received"), right: true, hint: word("Over all physical ports") },
  { key: "tx", label: word("Sent"), right: true, hint: word("Over all physical ports") },
  { key: "traffic", label: word("Traffic, 5 minutes"), hint: word("Sort by traffic both ways") },
  { key: "uptime", label: word("Uptime"), right: true },
  { key: "errors", label: word("Errors"), right: true },
  { key: "labels", label: word("Labels") },
];
const TEXTS = new Set(["status", "name", "model", "version", "labels"]);

/**
 * Routers in a long list: only the rows in view are in the page, and `onView` is told which.
 * The rows come sorted and filtered; a click on a column's head asks for another order.
 */
export class DeviceTable extends Component {
  static template = "mikrotik_monitoring.DeviceTable";
  static components = { SortHeader, DeviceRow };
  static props = {
    rows: Array,
    sort: String,
    descending: Boolean,
    onSort: Function, // (column, descending)
    onOpen: Function, // id
    onView: Function, // [id]
    values: Function, // id => values or undefined
    trend: Function, // id => {rx, tx} or undefined
    nowUs: Number,
    staleAfterS: Number,
    live: Boolean,
    href: Function, // id => address of its page
    keys: { type: Object, optional: true }, // emits "key" with keydown events from elsewhere that are meant for the list
    place: { type: Object, optional: true }, // where it is scrolled and marked, kept by who shows it again
  };

  word = word;

  setup() {
    this.columns = columns();
    this.opening = (id) => this.open(id);
    this.scroller = useRef("scroller");
    this.above = useRef("above");
    this.below = useRef("below");
    this.place = this.props.place ?? { scrollTop: 0, cursor: null };
    this.state = useState({ ...this.place, viewHeight: 800, rowHeight: 44 });
    this.viewed = "";
    this.resized = null;
    if (this.props.keys) useListener(this.props.keys, "key", (event) => this.onKey(event));
    onMounted(() => this.mounted());
    onWillPatch(() => this.noteFocus());
    onPatched(() => {
      this.keepFocus();
      this.settle();
    });
    onWillUpdateProps(({ place }) => place && place !== this.place && this.goTo(place));
    onWillUnmount(() => this.resized?.disconnect());
  }

  mounted() {
    this.resized = new ResizeObserver(() => this.measure());
    this.resized.observe(this.scroller.el);
    this.settle();
    this.scroller.el.scrollTop = this.state.scrollTop;
    this.measure();
  }

  measure() {
    const scroller = this.scroller.el;
    if (!scroller) return;
    this.state.viewHeight = scroller.clientHeight;
    const height = scroller.querySelector("tr[data-device]")?.getBoundingClientRect().height;
    if (height) this.state.rowHeight = height;
  }

  onScroll() {
    this.state.scrollTop = this.place.scrollTop = this.scroller.el.scrollTop;
  }

  // The host shows something else: another order, another selection.
  goTo(place) {
    this.place = place;
    Object.assign(this.state, place);
    this.scroller.el.scrollTop = place.scrollTop;
  }

  mark(id) {
    this.state.cursor = this.place.cursor = id;
  }

  open(id) {
    this.mark(id);
    this.props.onOpen(id);
  }

  get window() {
    const { scrollTop, viewHeight, rowHeight } = this.state;
    return rowsInView({ scrollTop, viewHeight, rowHeight, total: this.props.rows.length });
  }

  get drawn() {
    const { first, last } = this.window;
    return this.props.rows.slice(first, last).map((row, at) => ({ row, index: first + at }));
  }

  // A row that moves or leaves loses the focus: it goes after its router, never to another one.
  noteFocus() {
    this.focused = this.scroller.el.contains(document.activeElement) ? document.activeElement : null;
  }

  keepFocus() {
    if (!this.focused || this.focused === document.activeElement) return;
    const there = this.scroller.el.contains(this.focused) ? this.focused : this.scroller.el;
    there.focus({ preventScroll: true });
  }

  // Heights go through the CSS object model: the page's policy forbids style attributes.
  settle() {
    const { above, below } = this.window;
    this.above.el.style.height = `${above}px`;
    this.below.el.style.height = `${below}px`;
    const ids = this.drawn.map(({ row }) => row.id);
    const viewed = ids.join();
    if (viewed !== this.viewed) {
      this.viewed = viewed;
      this.props.onView(ids);
    }
    if (ids.length && !this.measured) {
      this.measured = true;
      this.measure();
    }
  }

  sortBy(column) {
    const again = this.props.sort === column;
    this.props.onSort(column, again ? !this.props.descending : !TEXTS.has(column));
  }

  /** Move the mark by some rows; returns the id that is marked then. */
  move(by) {
    const { rows } = this.props;
    if (!rows.length) return;
    const at = rows.findIndex((row) => row.id === this.state.cursor);
    const next = Math.min(rows.length - 1, Math.max(0, at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by));
    this.mark(rows[next].id);
    this.show(next);
  }

  show(row) {
    const { rowHeight } = this.state;
    const scroller = this.scroller.el;
    const head = scroller.querySelector("thead").offsetHeight;
    const viewHeight = scroller.clientHeight - head;
    const top = scrollToShow({ row, scrollTop: scroller.scrollTop, viewHeight, rowHeight });
    if (top !== null) scroller.scrollTop = top;
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(event)) return;
    const page = Math.max(1, Math.floor(this.state.viewHeight / this.state.rowHeight) - 2);
    const steps = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, PageDown: page, PageUp: -page, Home: -1e9, End: 1e9 };
    if (event.key in steps) this.move(steps[event.key]);
    else if (event.key === "Enter" && this.state.cursor && !event.target.closest("a, button")) this.open(this.state.cursor);
    else return;
    event.preventDefault();
  }
}
