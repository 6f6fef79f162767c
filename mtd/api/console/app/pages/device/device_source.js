import { LiveValues, SPARKS } from "#shared/lib/live_values.js";
import { Reading } from "#shared/lib/reading.js";
import { EventLog } from "../../services/event_log.js";

const EVENTS_KEPT = 200;
const HEALTH_S = 86400;

/**
 * All that a page knows of one router: what is read once and after each break, and what the live
 * channel adds. Emits `change`, and `update` with {tUs, values} for charts.
 */
export class DeviceSource extends LiveValues {
  constructor(id, { http, live }) {
    super();
    this.id = id;
    this.path = `devices/${encodeURIComponent(id)}`;
    this._http = http;
    this._live = live;
    this._loaded = null; // when everything was read last: the phase, the breaks until then, the promise
    this.log = new EventLog(http, `${this.path}/events`, EVENTS_KEPT);
    this.log.on("change", () => this.emit("change"));
    this.capabilities = [];
    this.interfaces = [];
    this.cost = null;
    this.health = [];
    this._readings = {
      device: this._reading(this.path, {}, (answer) => this._takeDevice(answer)),
      health: this._reading(`${this.path}/health`, { seconds: HEALTH_S }, ({ segments }) => (this.health = segments)),
      sparks: this._reading(`${this.path}/history`, SPARKS, ({ series }) => this.fillSparks(series)),
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
    this.apply(message);
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
}
