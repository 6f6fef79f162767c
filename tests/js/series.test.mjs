import assert from "node:assert/strict";
import { test } from "node:test";
import { Clock } from "#shared/lib/clock.js";
import { Ring } from "#shared/lib/ring.js";
import { Series, summary, sumSeries } from "#shared/lib/series.js";

test("a ring keeps the last values on a grid, means of a step, null for steps without", () => {
  const ring = new Ring(4, 10);
  ring.push(0, 1);
  ring.push(5, 3);
  ring.push(25, 8);
  assert.deepEqual(ring.values(), [null, 2, null, 8]);
  ring.push(3, 99); // the past
  assert.deepEqual(ring.values(), [null, 2, null, 8]);
});

test("a ring moves on when nothing comes", () => {
  const ring = new Ring(4, 10);
  ring.fill([1, 2, null, 4], 35);
  assert.deepEqual(ring.values(35), [1, 2, null, 4]);
  assert.deepEqual(ring.values(55), [null, 4, null, null]);
  assert.deepEqual(ring.values(1000), [null, null, null, null]);
  ring.push(1000, 5);
  assert.deepEqual(ring.values(1000), [null, null, null, 5]);
});

test("a ring takes live samples after what was stored", () => {
  const ring = new Ring(3, 10);
  ring.fill([1, 2, 3], 25);
  ring.push(31, 7);
  ring.push(32, null);
  assert.deepEqual(ring.values(), [2, 3, 7]);
});

test("a chart's points are thinned as the history was, and leave with the window", () => {
  const series = new Series({ windowUs: 100, bucketUs: 10 });
  series.load([0, 10], [1, 2]);
  for (let tUs = 20; tUs < 220; tUs += 2) series.push(tUs, tUs);
  assert.ok(series.points.length <= 12);
  assert.equal(series.points.at(-1).v, 214); // the mean of 210 to 218
  assert.ok(series.points[0].tUs >= 100);
});

test("a chart's memory has a bound whatever comes", () => {
  const series = new Series({ windowUs: 1e6, maxPoints: 100 });
  for (let tUs = 0; tUs < 5e6; tUs += 100) series.push(tUs, 1);
  assert.ok(series.points.length <= 102);
});

test("samples that the history already has fall away", () => {
  const series = new Series({ windowUs: 1000 });
  series.load([10, 20], [1, 2]);
  series.push(20, 9);
  series.push(15, 9);
  series.push(21, 3);
  assert.deepEqual(series.points.map(({ v }) => v), [1, 2, 3]);
});

test("gaps stay gaps", () => {
  const series = new Series({ windowUs: 1000 });
  series.load([10, 20, 90], [1, 2, 3]);
  assert.deepEqual(series.window(100, 30).map(({ v }) => v), [1, 2, null, 3]);
  assert.deepEqual(series.window(100, 100).map(({ v }) => v), [1, 2, 3]);
});

test("series are summed point by point, unknown plus unknown is unknown", () => {
  const sum = sumSeries([{ t_us: [1, 2, 3], v: [1, null, 3] }, { t_us: [1, 2], v: [10, null] }]);
  assert.deepEqual(sum, { t_us: [1, 2, 3], v: [11, null, 3] });
});

test("what is read every ten seconds is in a sum of each second, until it is overdue", () => {
  const fast = { t_us: [1, 2, 3, 4, 5, 6, 7, 8], v: [1, 1, 1, 1, 1, 1, 1, 1] };
  const slow = { t_us: [0, 2, 4], v: [10, 20, 40] };
  assert.deepEqual(sumSeries([fast, slow]), { t_us: [0, 1, 2, 3, 4, 5, 6, 7, 8], v: [10, 11, 21, 21, 41, 41, 41, 1, 1] });
});

test("a rate fills the steps that it was measured over, and no others", () => {
  const ring = new Ring(6, 5);
  ring.push(2, 1);
  ring.push(12, 3, 10);
  assert.deepEqual(ring.values(), [null, null, null, 1, 3, 3]);
  ring.push(27, 5, 5);
  assert.deepEqual(ring.values(), [1, 3, 3, null, null, 5]);
  ring.push(42, 7, 1000);
  assert.deepEqual(ring.values(), [null, null, 5, 7, 7, 7]);
});

test("a summary leaves out what isn't known", () => {
  const points = [...Array(100).keys()].map((v) => ({ v }));
  assert.deepEqual(summary([...points, { v: null }]), { mean: 49.5, p95: 94, most: 99 });
  assert.deepEqual(summary([]), { mean: null, p95: null, most: null });
});

test("the clock follows the server, not the browser", () => {
  let steady = 1000;
  const clock = new Clock({ steadyMs: () => steady, wallMs: () => 5 });
  clock.sync(7_000_000_000);
  steady += 2500;
  assert.equal(clock.nowUs(), 7_002_500_000);
});

test("the largest of a bucket is kept beside its mean, also of live samples", () => {
  const series = new Series({ windowUs: 100, bucketUs: 10 });
  series.load([0, 10], [1, 2], [5, 3]);
  assert.equal(series.peaks, true);
  for (const value of [4, 9, 2]) series.push(20 + value, value);
  assert.deepEqual(series.points, [{ tUs: 0, v: 1, most: 5 }, { tUs: 10, v: 2, most: 3 }, { tUs: 24, v: 5, most: 9 }]);
  assert.deepEqual(summary(series.points), { mean: 8 / 3, p95: 5, most: 9 });
  series.load([0], [1]);
  assert.equal(series.peaks, false);
  assert.deepEqual(series.points, [{ tUs: 0, v: 1 }]);
  assert.equal(summary(series.points).most, 1);
});
