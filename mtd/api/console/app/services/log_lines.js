import { Emitter } from "#shared/lib/emitter.js";
import { Reading } from "./reading.js";

const PAGE = 100;
const MOST = 2000;
const AGAIN_MS = 2000;

/** Lines of routers' logs as a page shows them: the newest are asked for every two seconds, older ones when somebody wants them. */
export class LogLines extends Emitter {
  constructor(http) {
    super();
    this._http = http;
    this._wanted = {};
    this._newest = new Reading((signal) => this._readNewest(signal), () => this._told());
    this._older = new Reading((signal) => this._readOlder(signal), () => this.emit("change"));
    this._timer = null;
    this._paused = false;
    this.lines = [];
    this.before = null;
    this.loaded = false;
  }

  get error() {
    return this._newest.error ?? this._older.error;
  }

  get busy() {
    return this._newest.busy || this._older.busy;
  }

  /** Ask for other lines. `wanted`: arguments of the page `logs`. */
  want(wanted) {
    this._wanted = wanted;
    this.lines = [];
    this.before = null;
    this.loaded = false;
    this._newest.now();
  }

  /** Ask for the newest now and then, or don't. */
  pause(paused) {
    this._paused = paused;
    if (!paused) this._newest.soon();
  }

  async older() {
    if (this.before !== null && !this.busy) await this._older.now();
  }

  close() {
    clearTimeout(this._timer);
    this._newest.close();
    this._older.close();
  }

  _told() {
    this.emit("change");
    clearTimeout(this._timer);
    if (this._newest.closed) return;
    this._timer = setTimeout(() => !this._paused && this._newest.soon(), AGAIN_MS);
  }

  async _readNewest(signal) {
    const wanted = this._wanted;
    const { lines, before } = await this._http.get("logs", { ...wanted, limit: PAGE }, signal);
    if (wanted !== this._wanted) return;
    const known = new Set(this.lines.map(({ position }) => position));
    // If none of them is known, more came than one page holds: what is between has to be read again.
    const further = !this.loaded || (lines.length === PAGE && !lines.some(({ position }) => known.has(position)));
    if (further) {
      this.lines = lines;
      this.before = before;
    } else {
      this.lines = [...lines.filter(({ position }) => !known.has(position)), ...this.lines];
    }
    if (this.lines.length > MOST) {
      this.lines = this.lines.slice(0, MOST);
      this.before = this.lines.at(-1).position;
    }
    this.loaded = true;
  }

  async _readOlder(signal) {
    const wanted = this._wanted;
    if (this.before === null) return;
    const { lines, before } = await this._http.get("logs", { ...wanted, limit: PAGE, before: this.before }, signal);
    if (wanted !== this._wanted) return;
    this.lines = [...this.lines, ...lines];
    this.before = before;
  }
}
