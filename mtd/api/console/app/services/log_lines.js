import { Emitter } from "#shared/lib/emitter.js";
import { Reading } from "#shared/lib/reading.js";

const PAGE = 100;
const MOST = 2000;
const AGAIN_MS = 2000;
// What comes later than that, of a collector that was cut off, is there when the page is opened anew.
const LATE_S = 600;

/**
 * Lines of routers' logs as a page shows them, newest first: the newest are asked for every two seconds, older ones when
 * somebody wants them.
 */
export class LogLines extends Emitter {
  constructor(http) {
    super();
    this._http = http;
    this._wanted = {};
    this._most = MOST;
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
    return this._older.busy;
  }

  /** Ask for other lines. `wanted`: arguments of the page `logs`. */
  want(wanted) {
    this._wanted = wanted;
    this._most = MOST;
    this._set([], null);
    this.loaded = false;
    this._newest.now();
  }

  /** Ask for the newest now and then, or don't. */
  pause(paused) {
    this._paused = paused;
    if (!paused && this.loaded) this._newest.soon();
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
    // What fails is asked for again by itself, or never.
    if (this._newest.closed || this._newest.error) return;
    this._timer = setTimeout(() => !this._paused && this._newest.soon(), AGAIN_MS);
  }

  // Whoever reads older ones reads them for what is shown now: other lines are another list.
  _set(lines, before) {
    this.lines = lines;
    this.before = before;
    this._list = {};
  }

  async _readNewest(signal) {
    const wanted = this._wanted;
    const late = this.loaded ? { seconds: LATE_S } : {};
    const { lines, older } = await this._http.get("logs", { ...wanted, ...late, limit: PAGE }, signal);
    if (wanted !== this._wanted || (this._paused && this.loaded)) return;
    const known = new Set(this.lines.map(({ position }) => position));
    if (!this.loaded || (lines.length === PAGE && !lines.some(({ position }) => known.has(position)))) {
      // If none of them is known, more came than one page holds: what is between is to be read as older ones.
      this._set(lines, older);
    } else {
      const merged = inOrder([...lines.filter(({ position }) => !known.has(position)), ...this.lines]);
      if (merged.length > this._most) this._set(merged.slice(0, this._most), merged[this._most - 1].position);
      else this.lines = merged;
    }
    this.loaded = true;
  }

  async _readOlder(signal) {
    const { before, _list: list } = this;
    if (before === null) return;
    const { lines, older } = await this._http.get("logs", { ...this._wanted, limit: PAGE, older: before }, signal);
    if (list !== this._list) return;
    const known = new Set(this.lines.map(({ position }) => position));
    this.lines = inOrder([...this.lines, ...lines.filter(({ position }) => !known.has(position))]);
    this.before = older;
    // Who asks for older ones wants them kept.
    this._most = Math.max(this._most, this.lines.length + PAGE);
  }
}

const inOrder = (lines) => lines.sort((a, b) => b.t_us - a.t_us || (a.position < b.position ? 1 : -1));
