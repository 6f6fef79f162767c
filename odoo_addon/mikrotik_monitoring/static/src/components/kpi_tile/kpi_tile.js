/** @odoo-module **/
import { Component } from "@odoo/owl";
import { dateTime, known, raw } from "../../lib/format.js";
import { word } from "../../lib/words.js";
import { Meter } from "../meter/meter.js";

/** One figure. `value` is raw and for machines, `text` is what people read. */
export class KpiTile extends Component {
  static template = "mikrotik_monitoring.KpiTile";
  static components = { Meter };
  static props = {
    id: String,
    label: String,
    text: String,
    value: { optional: true },
    tUs: { optional: true },
    sub: { type: String, optional: true },
    pct: { optional: true },
    stale: { type: Boolean, optional: true },
    level: { type: String, optional: true },
    tone: { type: String, optional: true },
  };

  raw = raw;

  get hasPct() {
    return known(this.props.pct);
  }

  /** The number large and its unit small: "10.6" and "Gbps". What has more parts stays whole. */
  get parts() {
    const parts = this.props.text.split(" ");
    return parts.length === 2 ? parts : [this.props.text, ""];
  }

  get hint() {
    return known(this.props.tUs) ? word("As of %s", dateTime(this.props.tUs)) : word("Not known");
  }
}
