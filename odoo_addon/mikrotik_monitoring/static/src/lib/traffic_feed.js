/** @odoo-module **/
import { sumPorts } from "./interfaces.js";
import { Series, sumSeries } from "./series.js";
import { Reading } from "./reading.js";

const [RX, TX] = ["iface.rx_bps", "iface.tx_bps"];
const POINTS_ONE = 900;
const POINTS_SUM = 300;
// So many ports can be named in a request; of routers with more, all interfaces are asked for.
const NAMED_PORTS = 90;

/** Points of the traffic chart: what is stored, then what comes; each choice starts anew. */
export class TrafficFeed {
  constructor(source, changed) {
    this._source = source;
    this._changed = changed;
    this._choice = { instances: [], seconds: 0 };
    this._reading = null;
    this.bucketUs = 0;
    this._begin();
  }

  get error() {
    return this._reading?.error ?? null;
  }

  /** Show these interfaces, summed, over so many seconds. */
  show(choice) {
    if (choice.seconds === this._choice.seconds && choice.instances.join() === this._choice.instances.join()) return;
    this._choice = choice;
    this.bucketUs = 0; // until it is known how far the history was thinned
    this._begin();
    this._reading?.close();
    this._reading = new Reading((signal) => this._read(choice, signal), this._changed, this._source.waitMs);
    this.read();
  }

  push({ tUs, values }) {
    const { instances } = this._choice;
    if (!instances.some((instance) => values.has(`${RX}|${instance}`))) return;
    this.rx.push(tUs, sumPorts(values, RX, instances, this._newest(RX)));
    this.tx.push(tUs, sumPorts(values, TX, instances, this._newest(TX)));
  }

  // A port that is read less often than those that came counts with what was read last.
  _newest(metric) {
    return (instance) => {
      const value = this._source.model.get(metric, instance);
      return value && this._source.isFresh(value.tUs, value.group) ? value.v : null;
    };
  }

  async read() {
    await this._reading?.now();
  }

  async _read({ instances, seconds }, signal) {
    if (!instances.length || !seconds) return;
    const history = await this._source.history(this._query(instances, seconds), signal);
    if (!signal.aborted) this._load(history, new Set(instances)); // else another choice is shown by now
  }

  close() {
    this._reading?.close();
  }

  _query(instances, seconds) {
    const named = instances.length > NAMED_PORTS ? [] : instances;
    const keys = [RX, TX].flatMap((metric) => named.map((instance) => this._source.model.get(metric, instance)?.key));
    const metric = keys.length && !keys.includes(undefined) ? keys : [RX, TX];
    return { metric, seconds, points: instances.length > 1 ? POINTS_SUM : POINTS_ONE };
  }

  _begin() {
    const options = { windowUs: this._choice.seconds * 1e6, bucketUs: this.bucketUs };
    this.rx = new Series(options);
    this.tx = new Series(options);
  }

  // Samples that came while the history was on its way are newer than it: they are put after it.
  _load({ series, bucket_us: bucketUs }, wanted) {
    const live = { rx: this.rx.points, tx: this.tx.points };
    this.bucketUs = bucketUs || 0;
    this._begin();
    for (const [member, metric] of [["rx", RX], ["tx", TX]]) {
      const own = series.filter((one) => one.metric === metric && wanted.has(one.instance));
      const { t_us: times, v } = sumSeries(own);
      // The largest of a sum is known only where nothing is summed.
      this[member].load(times, v, own.length === 1 ? own[0].max : undefined);
      for (const point of live[member]) this[member].push(point.tUs, point.v);
    }
  }
}
