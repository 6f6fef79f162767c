/** @odoo-module **/
import { Ring } from "./ring.js";
import { usualStep } from "./series.js";

const LANES = { counter: "counters", gauge: "gauges", rate: "rates" };
const SPARK_METRICS = new Set(["iface.rx_bps", "iface.tx_bps"]);
export const SPARK_POINTS = 60;
export const SPARK_STEP_US = 5e6;

/**
 * The newest values of one device, from `detail` messages: layouts name the series of a poll group
 * once, updates bring the values in that order, lane by lane.
 */
export class DetailModel {
  constructor() {
    this.layouts = new Map();
    this.latest = new Map(); // "metric|instance" to {key, metric, instance, label, unit, v, tUs, group}
    this.sparks = new Map(); // "metric|instance" to Ring
    this.lastUs = null;
  }

  /** Take a message; returns the times and rates that came, for charts: [{tUs, values: Map}]. */
  apply(message) {
    for (const layout of message.layouts ?? []) this._declare(layout);
    const fresh = [];
    for (const update of message.updates ?? []) {
      const layout = this.layouts.get(update.layout);
      if (layout) fresh.push(this._update(layout, update));
    }
    return fresh;
  }

  // A new layout of a group replaces the old one: what it doesn't name any more is gone, or read with another group.
  _declare({ layout, group, series }) {
    for (const [known, old] of this.layouts) if (old.group === group && known !== layout) this.layouts.delete(known);
    const names = new Set(series.map(({ metric, instance }) => seriesId(metric, instance)));
    this.layouts.set(layout, { group, series });
    const missing = [...this.latest].filter(([id, value]) => value.group === group && !names.has(id));
    const elsewhere = missing.length ? this._groups() : new Map();
    for (const [id, value] of missing) {
      if (elsewhere.has(id)) value.group = elsewhere.get(id);
      else this._forget(id);
    }
  }

  /** The poll group that each series is read with. */
  _groups() {
    const named = [...this.layouts.values()].flatMap(({ group, series }) => series.map((one) => [seriesId(one.metric, one.instance), group]));
    return new Map(named);
  }

  _forget(id) {
    this.latest.delete(id);
    this.sparks.delete(id);
  }

  _update({ group, series }, update) {
    const next = { counters: 0, gauges: 0, rates: 0 };
    const values = new Map();
    for (const { key, metric, instance, label, unit, lane } of series) {
      const name = LANES[lane];
      const v = update[name]?.[next[name]++] ?? null;
      const id = seriesId(metric, instance);
      const before = this.latest.get(id);
      values.set(id, v);
      if (before && before.group !== group && before.tUs > update.t_us) continue; // it moved, and that group knows more
      this.latest.set(id, { key, metric, instance, label, unit, v, tUs: update.t_us, group });
      // A rate is of the time since the read before.
      if (SPARK_METRICS.has(metric)) this.spark(metric, instance).push(update.t_us, v, since(before?.tUs, update.t_us));
    }
    this.lastUs = Math.max(this.lastUs ?? 0, update.t_us);
    return { tUs: update.t_us, values };
  }

  get(metric, instance = "") {
    return this.latest.get(seriesId(metric, instance)) ?? null;
  }

  /** All values of a metric, one for each instance. */
  all(metric) {
    return [...this.latest.values()].filter((value) => value.metric === metric);
  }

  /** Put stored points of a line below those that came while they were read. */
  fillSpark(metric, instance, times, values) {
    if (!times.length) return;
    const ring = new Ring(SPARK_POINTS, SPARK_STEP_US);
    const usual = usualStep(times);
    times.forEach((tUs, index) => {
      const step = since(times[index - 1], tUs);
      ring.push(tUs, values[index], step <= 1.5 * usual ? step : 0);
    });
    ring.extend(this.spark(metric, instance));
    this.sparks.set(seriesId(metric, instance), ring);
  }

  spark(metric, instance) {
    const id = seriesId(metric, instance);
    let ring = this.sparks.get(id);
    if (!ring) this.sparks.set(id, (ring = new Ring(SPARK_POINTS, SPARK_STEP_US)));
    return ring;
  }
}

// An outage is no interval: longer ones than this aren't filled.
const LONGEST_US = 4 * SPARK_STEP_US;

function since(beforeUs, tUs) {
  const us = tUs - (beforeUs ?? tUs);
  return us > 0 && us <= LONGEST_US ? us : 0;
}

export function seriesId(metric, instance = "") {
  return `${metric}|${instance ?? ""}`;
}
