/** @odoo-module **/

/** The last `capacity` values on an even grid of time; null where nothing is known. Memory is fixed. */
export class Ring {
  constructor(capacity, stepUs) {
    this.capacity = capacity;
    this.stepUs = stepUs;
    this._slot = null;
    this._values = new Float64Array(capacity).fill(NaN);
    this._sums = [0, 0];
  }

  /** Put values whose last one belongs to the time `endUs`. */
  fill(values, endUs) {
    this._values.fill(NaN);
    this._slot = Math.floor(endUs / this.stepUs);
    this._sums = [0, 0];
    values.slice(-this.capacity).forEach((value, index, all) => {
      this._put(this._slot - (all.length - 1 - index), value ?? NaN);
    });
  }

  /** Add a value; several in one step become their mean. It also fills steps of the `overUs` before it that have none. */
  push(tUs, value, overUs = 0) {
    const slot = Math.floor(tUs / this.stepUs);
    if (this._slot === null || slot - this._slot >= this.capacity) {
      this._values.fill(NaN);
      this._slot = slot;
      this._sums = [0, 0];
    }
    if (slot < this._slot) return; // from the past: it falls away
    while (this._slot < slot) {
      this._slot += 1;
      this._put(this._slot, NaN);
      this._sums = [0, 0];
    }
    if (value === null || value === undefined) return;
    const first = Math.max(Math.floor((tUs - overUs) / this.stepUs) + 1, slot - this.capacity + 1);
    for (let empty = slot - 1; empty >= first && Number.isNaN(this._at(empty)); empty -= 1) this._put(empty, value);
    this._sums = [this._sums[0] + value, this._sums[1] + 1];
    this._put(slot, this._sums[0] / this._sums[1]);
  }

  /** Take over what another ring of the same grid knows of later steps. */
  extend(later) {
    const from = this._slot ?? -Infinity;
    if (later._slot === null || later._slot <= from) return;
    for (let slot = Math.max(from, later._slot - later.capacity) + 1; slot <= later._slot; slot += 1) {
      const value = later._at(slot);
      this.push(slot * this.stepUs, Number.isNaN(value) ? null : value);
    }
    this._sums = [...later._sums]; // the last step may not be over
  }

  _put(slot, value) {
    this._values[((slot % this.capacity) + this.capacity) % this.capacity] = value;
  }

  /** Oldest first, as of `nowUs`: when nothing comes any more, the line ends and moves on. */
  values(nowUs = null) {
    if (this._slot === null) return new Array(this.capacity).fill(null);
    const end = nowUs === null ? this._slot : Math.max(this._slot, Math.floor(nowUs / this.stepUs));
    const values = new Array(this.capacity);
    for (let index = 0; index < this.capacity; index += 1) {
      const slot = end - (this.capacity - 1 - index);
      const value = slot > this._slot || slot <= this._slot - this.capacity ? NaN : this._at(slot);
      values[index] = Number.isNaN(value) ? null : value;
    }
    return values;
  }

  _at(slot) {
    return this._values[((slot % this.capacity) + this.capacity) % this.capacity];
  }
}
