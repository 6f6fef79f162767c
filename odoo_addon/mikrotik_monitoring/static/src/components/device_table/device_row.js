/** @odoo-module **/
import { Component } from "@odoo/owl";
import { labelsText, reasonOf } from "../../lib/fleet.js";
import { age, bitRate, dateTime, duration, elapsed, perSecond, plainText, raw, shortVersion } from "../../lib/format.js";
import { isStale, staleAfterS } from "../../lib/freshness.js";
import { word } from "../../lib/words.js";
import { Meter } from "../meter/meter.js";
import { Sparkline } from "../sparkline/sparkline.js";
import { StatusBadge } from "../status_badge/status_badge.js";

/** One router in the list. */
export class DeviceRow extends Component {
  static template = "mikrotik_monitoring.DeviceRow";
  static components = { Meter, Sparkline, StatusBadge };
  static props = {
    row: Object,
    index: Number,
    values: { optional: true },
    trend: { optional: true },
    nowUs: Number,
    staleAfterS: Number,
    live: Boolean,
    marked: Boolean,
    href: String,
    onOpen: Function,
  };

  raw = raw;

  get shown() {
    const { row, values, nowUs, live } = this.props;
    const after = staleAfterS("t0", { t0: row.interval_s }, this.props.staleAfterS);
    const seenUs = Math.max(row.last_seen_us ?? 0, values?.t_us ?? 0) || null;
    const stale = Boolean(values) && (!live || isStale(values.t_us, nowUs, after));
    const calm = row.status === "up" || row.status === "disabled";
    return {
      seenUs,
      stale,
      seen: age(seenUs, nowUs),
      seenAt: seenUs ? dateTime(seenUs) : "",
      reason: reasonOf(row),
      name: plainText(row.name),
      board: plainText(row.board) || "–",
      version: plainText(shortVersion(row.version)) || "–",
      since: !calm && row.since_us ? word("since %s", elapsed(row.since_us, nowUs) || word("now")) : "",
      sub: [row.identity && row.identity !== row.name ? row.identity : "", row.host].map(plainText).filter(Boolean),
      labels: labelsText(row.labels),
      rx: bitRate(values?.rx_bps),
      tx: bitRate(values?.tx_bps),
      uptime: duration(values?.uptime_s),
      errors: perSecond(values?.errors_per_s),
      losing: values?.errors_per_s > 0,
    };
  }

  open(event) {
    // The link opens itself, in another tab if that was asked for.
    if (!event.target.closest("a") && !getSelection()?.toString()) this.props.onOpen(this.props.row.id);
  }
}
