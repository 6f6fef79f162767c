/** @odoo-module **/
import { Emitter } from "./emitter.js";

// The two clocks of a machine that is awake don't part by so much within a second.
const JUMP_MS = 5000;

/**
 * The server's time, as far as messages told it, and one tick a second for all that shows ages.
 * The browser's own clock may be wrong; its steady clock only bridges the time between messages.
 * That one stands still while the machine sleeps: when its own clock has run ahead, or was set, `jump`
 * is emitted before the tick.
 */
export class Clock extends Emitter {
  constructor({ steadyMs = () => performance.now(), wallMs = () => Date.now() } = {}) {
    super();
    this._steadyMs = steadyMs;
    this._apartMs = () => wallMs() - steadyMs();
    this._lastApartMs = this._apartMs();
    this._offsetUs = this._lastApartMs * 1000;
    this._timer = null;
  }

  /** Take over the time of a message that has just come. */
  sync(nowUs) {
    this._offsetUs = nowUs - this._steadyMs() * 1000;
  }

  nowUs() {
    return Math.round(this._offsetUs + this._steadyMs() * 1000);
  }

  start() {
    this._timer ??= setInterval(() => this._tick(), 1000);
  }

  _tick() {
    const apartMs = this._apartMs();
    const jumpMs = apartMs - this._lastApartMs;
    this._lastApartMs = apartMs;
    if (Math.abs(jumpMs) > JUMP_MS) {
      // Until a message tells better, values are rather taken for too old than for fresh.
      this._offsetUs += Math.max(0, jumpMs) * 1000;
      this.emit("jump", jumpMs);
    }
    this.emit("tick");
  }

  stop() {
    clearInterval(this._timer);
    this._timer = null;
  }
}
