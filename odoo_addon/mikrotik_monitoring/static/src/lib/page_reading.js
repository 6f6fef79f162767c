/** @odoo-module **/
import { Emitter } from "./emitter.js";
import { Reading } from "./reading.js";

/**
 * One answer, as somebody wants it: read when what is wanted changes, and now and then while it is looked
 * at. Emits `change`. `answer` is null until what is wanted now was read.
 */
export class PageReading extends Emitter {
  constructor(http, path, waitMs = undefined) {
    super();
    this._http = http;
    this._path = path;
    this._wanted = null;
    this._key = null;
    this._again = { ms: null, timer: null };
    this._paused = false;
    this._reading = new Reading((signal) => this._read(signal), () => this._told(), waitMs);
    this.answer = null;
  }

  get error() {
    return this._wanted === null ? null : this._reading.error;
  }

  /** Want a page by its arguments; null: nothing. `againMs`: it is read anew after so long, or, if null, never. */
  want(wanted, againMs = null) {
    const key = JSON.stringify([wanted, againMs]);
    if (key === this._key) return;
    this._key = key;
    this._wanted = wanted;
    this._again.ms = againMs;
    clearTimeout(this._again.timer);
    this.answer = null;
    if (wanted !== null) this._reading.now();
  }

  /** Read anew now and then, or don't. */
  pause(paused) {
    if (this._paused === paused) return;
    this._paused = paused;
    if (!paused && this.answer !== null && this._again.ms !== null) this._reading.soon();
  }

  /** Read anew at once. */
  async now() {
    if (this._wanted !== null) await this._reading.now();
  }

  close() {
    clearTimeout(this._again.timer);
    this._reading.close();
  }

  async _read(signal) {
    const wanted = this._wanted;
    if (wanted === null) return;
    const answer = await this._http.get(this._path, wanted, signal);
    if (wanted === this._wanted) this.answer = answer;
  }

  _told() {
    this.emit("change");
    clearTimeout(this._again.timer);
    // What fails is asked for again by itself, or never.
    if (this._reading.closed || this._reading.error || this._again.ms === null) return;
    this._again.timer = setTimeout(() => !this._paused && this._reading.soon(), this._again.ms);
  }
}
