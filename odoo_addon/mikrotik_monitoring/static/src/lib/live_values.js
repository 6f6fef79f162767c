/** @odoo-module **/
import { DetailModel } from "./detail.js";
import { Emitter } from "./emitter.js";
import { isStale, staleAfterS } from "./freshness.js";

export const STALE_AFTER_S = 5;
/** What the sparklines of all interfaces are filled from, before values come. */
export const SPARKS = { metric: ["iface.rx_bps", "iface.tx_bps"], seconds: 300, points: 60 };

/**
 * The newest values of one router, with what charts and tables ask of them. Whoever fills it in emits `change`, and
 * `update` with {tUs, values} for charts.
 */
export class LiveValues extends Emitter {
  constructor() {
    super();
    this.model = new DetailModel();
    this.device = null; // what the inventory knows: {intervals_s}
    this._drawn = new Map();
  }

  /** Take a message of values. */
  apply(message) {
    for (const update of this.model.apply(message)) this.emit("update", update);
  }

  /** Whether a value of a poll group is of now, compared with the newest that there is. */
  isFresh(tUs, group) {
    return !isStale(tUs, this.model.lastUs ?? tUs, staleAfterS(group, this.device?.intervals_s, STALE_AFTER_S));
  }

  /** Seconds between two points of these interfaces' traffic: of the group among theirs that is read most often. */
  paceS(instances) {
    const groups = instances.map((instance) => this.model.get("iface.rx_bps", instance)?.group ?? "t0");
    const paces = groups.map((group) => this.device?.intervals_s?.[group] ?? 1);
    return paces.length ? Math.min(...paces) : 1;
  }

  /** Five minutes of an interface's traffic; the same arrays until a step has passed. */
  sparks(instance, nowUs) {
    const rx = this.model.spark("iface.rx_bps", instance);
    const tx = this.model.spark("iface.tx_bps", instance);
    const slot = Math.floor(nowUs / rx.stepUs);
    const drawn = this._drawn.get(instance);
    if (drawn?.slot === slot) return drawn.lines;
    const lines = { rx: rx.values(nowUs), tx: tx.values(nowUs) };
    this._drawn.set(instance, { slot, lines });
    return lines;
  }

  /** Put what is stored below what came. */
  fillSparks(series) {
    for (const { metric, instance, t_us: times, v } of series) this.model.fillSpark(metric, instance, times, v);
    this._drawn.clear();
  }
}
