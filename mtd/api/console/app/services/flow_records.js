import { Emitter } from "#shared/lib/emitter.js";
import { Reading } from "#shared/lib/reading.js";

const PAGE = 100;

/** Records of flows that somebody looks for, what came last first: a page, and older ones when somebody wants them. */
export class FlowRecords extends Emitter {
  constructor(http) {
    super();
    this._http = http;
    this._wanted = null;
    this._key = null;
    this._first = new Reading((signal) => this._read(signal, null), () => this.emit("change"));
    this._older = new Reading((signal) => this._read(signal, this.older), () => this.emit("change"));
    this._forget();
  }

  _forget() {
    this.records = [];
    this.older = null; // where older ones begin
    this.truncated = false;
    this.loaded = false;
  }

  get wanted() {
    return this._wanted !== null;
  }

  get error() {
    return this.wanted ? this._first.error ?? this._older.error : null;
  }

  get busy() {
    return this._first.busy || this._older.busy;
  }

  /** Look for others; null: for none. `wanted`: arguments of the page `flows/records`. */
  want(wanted) {
    const key = JSON.stringify(wanted);
    if (key === this._key) return;
    this._key = key;
    this._wanted = wanted;
    this._forget();
    if (wanted !== null) this._first.now();
  }

  async more() {
    if (this.older !== null && !this.busy) await this._older.now();
  }

  close() {
    this._first.close();
    this._older.close();
  }

  async _read(signal, older) {
    const wanted = this._wanted;
    if (wanted === null) return;
    const page = await this._http.get("flows/records", { ...wanted, limit: PAGE, older }, signal);
    if (wanted !== this._wanted) return;
    this.records = older === null ? page.records : [...this.records, ...page.records];
    this.older = page.older;
    this.truncated = page.truncated;
    this.loaded = true;
  }
}
