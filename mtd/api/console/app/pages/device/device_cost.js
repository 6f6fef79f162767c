import { Component } from "@odoo/owl";
import { UNKNOWN, bytes, count, duration, known } from "#shared/lib/format.js";

const HOUR_S = 3600;
// What connecting costs is most of what there is in the first minutes.
const SETTLED_S = 300;
const seconds = (value) => (known(value) ? `${value.toFixed(1)} s` : UNKNOWN);

/** What it costs a router to be watched, by category of data. */
export class DeviceCost extends Component {
  static template = "console.DeviceCost";
  static props = { cost: Object };

  get note() {
    const { counted_s: countedS } = this.props.cost;
    if (countedS >= HOUR_S) return "Per hour, by the last hour";
    const early = countedS < SETTLED_S ? ", with what connecting costs" : "";
    return `Per hour, by the last ${duration(countedS)}${early}`;
  }

  get rows() {
    const { categories, total } = this.props.cost;
    return [...categories.map((one) => this.row(one.category, one)), { ...this.row("all", total), all: true }];
  }

  row(category, one) {
    const cells = [
      ["commands", count(one.commands_per_h)],
      ["received", bytes(one.received_bytes_per_h)],
      ["rows", count(one.rows_per_h)],
      ["busy", seconds(one.busy_s_per_h)],
    ];
    return { category, cells };
  }
}
