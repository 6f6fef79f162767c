/** @odoo-module **/
import { _t } from "@web/core/l10n/translation";
import { Component } from "@odoo/owl";
import { LastUpdate } from "../../../components/last_update/last_update.js";
import { StatusBadge } from "../../../components/status_badge/status_badge.js";
import { reasonOf } from "../../../lib/fleet.js";
import { elapsed, shortTime } from "../../../lib/format.js";

/** How a router is, when it was heard of last, and what keeps news from coming. */
export class LiveHead extends Component {
  static template = "mikrotik_monitoring.LiveHead";
  static components = { LastUpdate, StatusBadge };
  static props = { feed: Object, isStale: Function, nowUs: Number };

  get reason() {
    return reasonOf(this.props.feed.row);
  }

  get since() {
    const { since_us: sinceUs } = this.props.feed.row;
    return sinceUs ? _t("for %s", elapsed(sinceUs, this.props.nowUs) || _t("a moment")) : "";
  }

  get lastUs() {
    const { model, row } = this.props.feed;
    return Math.max(model.lastUs ?? 0, row.last_seen_us ?? 0) || null;
  }

  get stale() {
    return this.lastUs !== null && this.props.isStale(this.lastUs, "t0");
  }

  get banner() {
    const { feed, nowUs } = this.props;
    if (!feed.trouble) return "";
    const asOf = feed.model.lastUs ? _t("Values are as of %s.", shortTime(feed.model.lastUs, nowUs)) : "";
    return [feed.trouble, asOf].filter(Boolean).join(" ");
  }
}
