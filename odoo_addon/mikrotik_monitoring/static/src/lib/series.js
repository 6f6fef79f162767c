/** @odoo-module **/

/**
 * Points of a chart that moves: history first, live samples after it. It forgets what the window
 * has left, and samples that fall into one bucket become their mean, so that memory has a bound.
 */
export class Series {
  constructor({ windowUs, bucketUs = 0, maxPoints = 4000 }) {
    this.windowUs = windowUs;
    // Live samples are thinned as the history was, and never beyond what a screen can show.
    this.bucketUs = Math.max(bucketUs, Math.ceil(windowUs / maxPoints));
    this.points = [];
    /** Whether points tell their largest value as well. */
    this.peaks = false;
    this._open = null;
  }

  /** Put stored points, oldest first; `most` is the largest value of each, where they are means. */
  load(times, values, most = null) {
    this.peaks = Boolean(most);
    this.points = times.map((tUs, index) => this._point(tUs, values[index] ?? null, most?.[index] ?? null));
    this._open = null;
  }

  _point(tUs, v, most) {
    return this.peaks ? { tUs, v, most } : { tUs, v };
  }

  /** Add a live sample; what isn't newer than the last point falls away. */
  push(tUs, value) {
    const last = this.points.at(-1);
    if (last && tUs <= last.tUs && this._open === null) return;
    const bucket = Math.floor(tUs / this.bucketUs);
    if (this._open && this._open.bucket === bucket) {
      this._merge(value);
      return;
    }
    if (last && tUs <= last.tUs) return;
    const known = value !== null && value !== undefined;
    this._open = { bucket, sum: known ? value : 0, n: known ? 1 : 0 };
    this.points.push(this._point(tUs, known ? value : null, known ? value : null));
    this._trim(tUs - this.windowUs);
  }

  _merge(value) {
    if (value === null || value === undefined) return;
    this._open.sum += value;
    this._open.n += 1;
    const last = this.points.at(-1);
    last.v = this._open.sum / this._open.n;
    if (this.peaks) last.most = Math.max(last.most ?? value, value);
  }

  _trim(beforeUs) {
    const first = this.points.findIndex((point) => point.tUs >= beforeUs);
    if (first > 0) this.points.splice(0, first);
  }

  /** Points of the window that ends now, with a null wherever more than `gapUs` passed without one. */
  window(nowUs, gapUs) {
    const from = nowUs - this.windowUs;
    const shown = [];
    let before = null;
    for (const point of this.points) {
      if (point.tUs < from) continue;
      if (before !== null && point.tUs - before > gapUs) shown.push({ tUs: before + 1, v: null });
      shown.push(point);
      before = point.tUs;
    }
    return shown;
  }
}

/**
 * Sum series point by point in time: where none is known the sum isn't either. What is read less often than others
 * counts with its last point in between, for as long as the next one isn't overdue.
 */
export function sumSeries(list) {
  const ordered = [...new Set(list.flatMap(({ t_us: times }) => times))].sort((a, b) => a - b);
  const v = new Array(ordered.length).fill(null);
  for (const { t_us: times, v: values } of list) {
    const holdsUs = HELD * usualStep(times);
    let at = -1;
    ordered.forEach((tUs, place) => {
      while (at + 1 < times.length && times[at + 1] <= tUs) at += 1;
      if (at < 0 || (times[at] !== tUs && tUs - times[at] >= holdsUs)) return;
      const value = values[at];
      if (value !== null && value !== undefined) v[place] = (v[place] ?? 0) + value;
    });
  }
  return { t_us: ordered, v };
}

const HELD = 1.5; // usual steps that a point holds

/** The usual distance of times; 0 of fewer than two. */
export function usualStep(times) {
  const steps = times.slice(1).map((tUs, index) => tUs - times[index]);
  return steps.sort((a, b) => a - b)[(steps.length - 1) >> 1] ?? 0;
}

/** Mean, 95th percentile and largest of the points that are known; null if none is. */
export function summary(points) {
  const values = points.map(({ v }) => v).filter((v) => v !== null);
  if (!values.length) return { mean: null, p95: null, most: null };
  const ordered = Float64Array.from(values).sort();
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const p95 = ordered[Math.max(0, Math.ceil(0.95 * ordered.length) - 1)];
  const most = points.reduce((top, { v, most: peak }) => Math.max(top, peak ?? v ?? -Infinity), -Infinity);
  return { mean, p95, most };
}
