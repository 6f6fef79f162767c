import { Component } from "@odoo/owl";
import { count, dateTime, plainText, shortTime } from "#shared/lib/format.js";
import { sortedBy } from "#shared/lib/sorting.js";
import { formatHash } from "../../services/router.js";

const FIRST = 50;
const FOUND_BY = { syslog: "log lines", flows: "flows", traps: "SNMP traps" };
const PACED = new Set(["syslog", "traps"]);

/** Who sent too much, and who sends that nobody knows. */
export class SenderTables extends Component {
  static template = "console.SenderTables";
  static props = { answer: Object };

  setup() {
    this.all = false;
    this.count = count;
  }

  get hears() {
    return this.props.answer.listeners.some(({ name }) => PACED.has(name));
  }

  get fast() {
    const rows = this.props.answer.too_fast.map((one) => ({
      ...one,
      id: `${one.found_by}/${one.device_id}`,
      name: plainText(one.device),
      way: FOUND_BY[one.found_by] ?? one.found_by,
      href: formatHash(`devices/${encodeURIComponent(one.device_id)}`),
    }));
    return sortedBy(rows, ({ messages }) => messages, true, ({ name }) => name);
  }

  /** Null for those who aren't told. */
  get strangers() {
    const { unknown_senders: senders, now_us: nowUs } = this.props.answer;
    if (!senders) return null;
    const rows = senders.map((one) => ({
      ...one,
      id: `${one.found_by}/${one.address}`,
      name: plainText(one.name),
      way: FOUND_BY[one.found_by] ?? one.found_by,
      seen: shortTime(one.seen_us, nowUs),
      hint: dateTime(one.seen_us),
    }));
    const sorted = sortedBy(rows, ({ seen_us: seenUs }) => seenUs, true, ({ id }) => id);
    return { shown: this.all ? sorted : sorted.slice(0, FIRST), total: sorted.length };
  }

  showAll() {
    this.all = true;
    this.render();
  }
}
