/** @odoo-module **/
import { Component } from "@odoo/owl";
import { known, percent } from "../../lib/format.js";

export const WARN_PCT = 75;
export const BAD_PCT = 90;

/** How bad a share is: nothing below the first bound. */
export function levelOf(pct, warn = WARN_PCT, bad = BAD_PCT) {
  if (!known(pct)) return "";
  if (pct >= bad) return "bad";
  return pct >= warn ? "warn" : "";
}

/** A share of a hundred as a number and a bar. */
export class Meter extends Component {
  static template = "mikrotik_monitoring.Meter";
  static props = {
    pct: { optional: true },
    bare: { type: Boolean, optional: true },
  };

  get text() {
    return percent(this.props.pct);
  }

  get known() {
    return known(this.props.pct);
  }

  get width() {
    return this.known ? Math.min(100, Math.max(0, this.props.pct)) : 0;
  }

  get level() {
    return levelOf(this.props.pct);
  }
}
