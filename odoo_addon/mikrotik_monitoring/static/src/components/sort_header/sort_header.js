/** @odoo-module **/
import { Component } from "@odoo/owl";

/** The head of a column that can be sorted. */
export class SortHeader extends Component {
  static template = "mikrotik_monitoring.SortHeader";
  static props = {
    column: String,
    label: String,
    sort: String,
    descending: Boolean,
    onSort: Function,
    right: { type: Boolean, optional: true },
    hint: { type: String, optional: true },
  };

  get active() {
    return this.props.sort === this.props.column;
  }

  get ariaSort() {
    if (!this.active) return "none";
    return this.props.descending ? "descending" : "ascending";
  }

  get arrow() {
    if (!this.active) return "";
    return this.props.descending ? "▾" : "▴";
  }
}
