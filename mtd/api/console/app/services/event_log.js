import { Emitter } from "#shared/lib/emitter.js";
import { mergeEvents } from "#shared/lib/events.js";
import { Reading } from "#shared/lib/reading.js";

const PAGE = 100;

/** Events as a page shows them: read once, then as they come, newest first, at most `most`. */
export class EventLog extends Emitter {
  constructor(http, path, most) {
    super();
    this._http = http;
    this._path = path;
    this._most = most;
    this._newest = new Reading((signal) => this._read({ limit: PAGE }, signal), () => this.emit("change"));
    this._older = new Reading((signal) => this._readOlder(signal), () => this.emit("change"));
    this.events = [];
    this.before = null;
    this.position = null; // up to which it was read: what comes after it is told by the live channel
    this.loaded = false;
  }

  get error() {
    return this._newest.error ?? this._older.error;
  }

  /** Read the newest; after a break it fills what was missed. */
  async load() {
    await this._newest.now();
  }

  async older() {
    if (this.before !== null && !this.busy) await this._older.now();
  }

  /** Take events from the live channel, oldest first. */
  add(events) {
    if (!events.length) return;
    this._merge(events);
    this.emit("change");
  }

  close() {
    this._newest.close();
    this._older.close();
  }

  get closed() {
    return this._newest.closed;
  }

  get busy() {
    return this._newest.busy || this._older.busy;
  }

  _readOlder(signal) {
    return this.before === null ? null : this._read({ limit: PAGE, before: this.before }, signal);
  }

  async _read(params, signal) {
    const { events, before, position } = await this._http.get(this._path, params, signal);
    const further = params.before !== undefined || !this.loaded || !this._meets(events);
    if (params.before === undefined && further) this.events = [];
    if (further) this.before = before;
    this._merge(events, params.before !== undefined);
    if (params.before === undefined) this.position = position ?? null;
    this.loaded = true;
  }

  // Whether what was read reaches down to what is shown: else there would be a hole between them.
  _meets(events) {
    const shown = new Set(this.events.map(({ position }) => position));
    return events.some(({ position }) => shown.has(position));
  }

  _merge(events, older = false) {
    const ordered = mergeEvents(this.events, events);
    // Who asks for older ones wants them kept; what comes by itself pushes out the oldest.
    if (older) this._most = Math.max(this._most, ordered.length);
    this.events = ordered.slice(0, this._most);
    // What was pushed out is there to be read again: older ones go on from the newest of it.
    const out = ordered.slice(this._most).map(({ position }) => Number(position));
    if (out.length) this.before = Math.max(...out) + 1;
  }
}
