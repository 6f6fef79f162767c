/** @odoo-module **/
import { backoffMs } from "./backoff.js";

const GAP_MS = 2000;

/**
 * One thing that is asked for: one attempt under way at most, so that an older answer never follows
 * a newer one, and again with growing waits while who is asked fails to answer.
 */
export class Reading {
  constructor(read, changed, waitMs = backoffMs) {
    this._read = read; // gets a signal that calls it off
    this._changed = changed;
    this._waitMs = waitMs; // by how often it failed
    this._due = false;
    this._running = null;
    this._stop = null;
    this._timers = { again: null, rest: null };
    this._wanted = false;
    this._failed = 0;
    this.error = null;
    this.closed = false;
  }

  get busy() {
    return this._stop !== null;
  }

  /** Read anew; an attempt that is under way is called off. Resolves when nothing is under way. */
  now() {
    this._stop?.abort();
    return this._ask();
  }

  /** Read at once, or when the last such call is two seconds old: of many, one is heard. */
  soon() {
    this._wanted = true;
    if (this._timers.rest === null) this._hear();
  }

  close() {
    this.closed = true;
    this._stop?.abort();
    for (const timer of Object.values(this._timers)) clearTimeout(timer);
  }

  _hear() {
    this._timers.rest = null;
    if (!this._wanted || this.closed) return;
    this._wanted = false;
    this._timers.rest = setTimeout(() => this._hear(), GAP_MS);
    this._ask();
  }

  _ask() {
    clearTimeout(this._timers.again);
    this._due = true;
    this._running ??= this._run();
    return this._running;
  }

  async _run() {
    try {
      while (this._due && !this.closed) {
        this._due = false;
        if (await this._attempt()) this._changed();
      }
    } finally {
      this._running = null;
    }
  }

  // Whether there is anything to tell.
  async _attempt() {
    const stop = (this._stop = new AbortController());
    try {
      await this._read(stop.signal);
      this.error = null;
      this._failed = 0;
    } catch (error) {
      if (this.closed || stop.signal.aborted) return false;
      this.error = error;
      if (mayPass(error)) this._timers.again = setTimeout(() => this._ask(), this._waitMs(this._failed++));
    } finally {
      this._stop = null;
    }
    return true;
  }
}

// What was refused once is refused again; who is busy or away may answer later.
function mayPass({ status }) {
  return status === 0 || status === 429 || status >= 500;
}
