import { DetailModel } from "#shared/lib/detail.js";
import { Emitter } from "#shared/lib/emitter.js";
import { isStale, staleAfterS } from "#shared/lib/freshness.js";
import { EventLog } from "../../services/event_log.js";
import { Reading } from "../../services/reading.js";

const EVENTS_KEPT = 200;
const HEALTH_S = 86400;
const STALE_AFTER_S = 5;
const SPARKS = { metric: ["iface.rx_bps", "iface.tx_bps"], seconds: 300, points: 60 };

/**
 * All that a page knows of one router: what is read once and after each break, and what the live
 * channel adds. Emits `change`, and `update` with {tUs, values} for charts.
 */
export class DeviceSource extends Emitter {
  constructor(id, { http, live }) {
    super();
    this.id = id;
    this.path = `devices/${encodeURIComponent(id)}`;
    this._http = http;
    this._live = live;
    this._loaded = null; // when everything was read last: the phase, the breaks until then, the promise
    this.model = new DetailModel();
    this.log = new EventLog(http, `${this.path}/events`, EVENTS_KEPT);
    this.log.on("change", () => this.emit("change"));
    this.device = null;
    this.capabilities = [];
    this.interfaces = [];
    this.cost = null;
    this.health = [];
    this._drawn = new Map();
    this._readings = {
      device: this._reading(this.path, {}, (answer) => this._takeDevice(answer)),
      health: this._reading(`${this.path}/health`, { seconds: HEALTH_S }, ({ segments }) => (this.health = segments)),
      sparks: this._reading(`${this.path}/history`, SPARKS, ({ series }) => this._takeSparks(series)),
    };
  }

  /** Read everything; not again when the first connection comes while or after it was read. */
  async load() {
    const { phase, breaks } = this._live;
    const last = this._loaded;
    const first = last?.phase === "connecting" && phase === "live" && last.breaks === breaks;
    const done = first ? last.done : this._readAll();
    this._loaded = { phase, breaks, done };
    await done;
  }

  _readAll() {
    return Promise.all([...Object.values(this._readings).map((reading) => reading.now()), this.log.load()]);
  }

  close() {
    for (const reading of Object.values(this._readings)) reading.close();
    this.log.close();
  }

  /** What could not be read, the most important first. */
  get error() {
    const { device, health, sparks } = this._readings;
    return device.error ?? health.error ?? sparks.error ?? this.log.error;
  }

  take(message) {
    if (message.id !== this.id) return;
    for (const update of this.model.apply(message)) this.emit("update", update);
    this.emit("change");
  }

  addEvents(events) {
    const own = events.filter((event) => event.device_id === this.id);
    if (!own.length) return;
    this.log.add(own);
    // What happened may have changed what there is: names, interfaces, the time line.
    this._readings.device.soon();
    this._readings.health.soon();
  }

  history(params, signal) {
    return this._http.get(`${this.path}/history`, params, signal);
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

  _reading(path, params, take) {
    const read = async (signal) => take(await this._http.get(path, params, signal));
    return new Reading(read, () => this.emit("change"));
  }

  _takeDevice({ device, capabilities, interfaces, cost }) {
    this.device = device;
    this.capabilities = capabilities ?? [];
    this.interfaces = interfaces ?? [];
    this.cost = cost ?? null;
  }

  _takeSparks(series) {
    for (const { metric, instance, t_us: times, v } of series) this.model.fillSpark(metric, instance, times, v);
    this._drawn.clear();
  }
}
