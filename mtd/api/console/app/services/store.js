import { Emitter } from "#shared/lib/emitter.js";
import { Ring } from "#shared/lib/ring.js";

const TREND_POINTS = 60;
const TREND_STEP_US = 5e6;

/**
 * What the live channel told about all devices. Pages read it and listen to `fleet`, `values` and
 * `rank`. What it holds is bounded by the number of
 * devices: the newest values and five minutes of traffic of those that were in view.
 */
export class Store extends Emitter {
  constructor(clock) {
    super();
    this._clock = clock;
    this.devices = new Map();
    this.values = new Map();
    this.rank = new Map();
    this.complete = false;
    this._named = null; // ids of a complete list that is under way
    this.staleAfterS = 5;
    this.version = "";
    this._trends = new Map();
  }

  listenTo(live) {
    live.on("hello", (message) => this._hello(message));
    live.on("fleet", (message) => this._fleet(message));
    live.on("values", (message) => this._values(message));
    live.on("detail", (message) => message.devices && this._values(message));
    live.on("trend", (message) => this._trend(message));
    live.on("rank", (message) => this._rank(message));
    live.on("phase", () => this.emit("fleet"));
  }

  /** When the device was last heard of, by whichever message told. */
  seenUs(row) {
    return Math.max(row.last_seen_us ?? 0, this.values.get(row.id)?.t_us ?? 0) || null;
  }

  /** The last five minutes as {rx, tx}; the same object until something new came. */
  trend(id) {
    const trend = this._trends.get(id);
    if (!trend) return undefined;
    const nowUs = this._clock.nowUs();
    const slot = Math.floor(nowUs / TREND_STEP_US);
    if (!trend.drawn || trend.slot !== slot) {
      trend.drawn = { rx: trend.rx.values(nowUs), tx: trend.tx.values(nowUs) };
      trend.slot = slot;
    }
    return trend.drawn;
  }

  _hello({ version, stale_after_s: staleAfterS }) {
    this._named = null; // a list that a break cut off isn't complete
    this.version = version ?? "";
    this.staleAfterS = staleAfterS ?? this.staleAfterS;
    this.emit("fleet");
  }

  // A long list comes in several messages; what a complete one doesn't name is known with the last of them.
  _fleet({ complete, devices, gone, more }) {
    if (complete) this._named = new Set();
    for (const row of devices ?? []) {
      this.devices.set(row.id, row);
      this._named?.add(row.id);
    }
    for (const id of gone ?? []) this._forget(id);
    if (more) return;
    if (this._named) {
      for (const id of [...this.devices.keys()]) if (!this._named.has(id)) this._forget(id);
      this._named = null;
      this.complete = true;
    }
    this.emit("fleet");
  }

  _forget(id) {
    for (const kept of [this.devices, this.values, this.rank, this._trends]) kept.delete(id);
  }

  _values({ devices }) {
    for (const [id, values] of Object.entries(devices)) {
      this.values.set(id, values);
      const trend = this._trends.get(id);
      if (!trend) continue;
      trend.rx.push(values.t_us, values.rx_bps);
      trend.tx.push(values.t_us, values.tx_bps);
    }
    this.emit("values", devices);
  }

  _trend({ step_s: stepS, devices }) {
    for (const [id, { end_us: endUs, rx_bps: rx, tx_bps: tx }] of Object.entries(devices)) {
      const trend = { rx: new Ring(TREND_POINTS, stepS * 1e6), tx: new Ring(TREND_POINTS, stepS * 1e6) };
      trend.rx.fill(rx, endUs);
      trend.tx.fill(tx, endUs);
      this._trends.set(id, trend);
    }
    this.emit("values", devices);
  }

  _rank({ values }) {
    this.rank = new Map(Object.entries(values));
    this.emit("rank");
  }
}
