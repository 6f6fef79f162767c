import assert from "node:assert/strict";
import { test } from "node:test";
import { DetailModel } from "#shared/lib/detail.js";
import { arrange, countByStatus, isLiveColumn } from "#shared/lib/fleet.js";
import { isStale, staleAfterS } from "#shared/lib/freshness.js";
import { availability, barStart, extendTo, timeline } from "#shared/lib/health.js";
import { interfaceRow, interfaceRows, sumNewest, sumPorts } from "#shared/lib/interfaces.js";
import { kpis } from "#shared/lib/kpis.js";
import { sortedBy } from "#shared/lib/sorting.js";
import { sparkPath } from "#shared/lib/spark.js";
import { MARGIN, rowsInView, scrollToShow } from "#shared/lib/virtual.js";

const row = (name, rest = {}) => ({ id: name, name, host: "", status: "up", labels: {}, ...rest });

test("names sort as people number them, absent values come last both ways", () => {
  const rows = [{ n: "ether10" }, { n: null }, { n: "ether2" }];
  assert.deepEqual(sortedBy(rows, ({ n }) => n).map(({ n }) => n), ["ether2", "ether10", null]);
  assert.deepEqual(sortedBy(rows, ({ n }) => n, true).map(({ n }) => n), ["ether10", "ether2", null]);
});

test("the worst stands first, live columns sort by rank", () => {
  const rows = [row("a"), row("b", { status: "down" }), row("c", { status: "degraded" })];
  const options = { rank: new Map([["a", [5, null, 100, 1, 0, 9e6]], ["c", [80, null, 5, 5, 0.5, 60]]]), seenUs: () => null };
  const names = (more) => arrange(rows, { ...options, ...more }).map(({ name }) => name);
  assert.deepEqual(names({}), ["b", "c", "a"]);
  assert.deepEqual(names({ sort: "cpu", descending: true }), ["c", "a", "b"]);
  assert.deepEqual(names({ sort: "traffic", descending: true }), ["a", "c", "b"]);
  assert.deepEqual(names({ sort: "errors", descending: true }), ["c", "a", "b"]);
  assert.deepEqual(names({ sort: "uptime", descending: true }), ["a", "c", "b"]);
  assert.ok(isLiveColumn("errors") && isLiveColumn("uptime"));
});

test("search finds each word in name, address, model, version, identity or label", () => {
  const rows = [row("core-1", { board: "CCR2004", labels: { site: "Nord" } }), row("core-2", { host: "10.0.0.7" })];
  const names = (query) => arrange(rows, { query, rank: new Map(), seenUs: () => null }).map(({ name }) => name);
  assert.deepEqual(names("CORE nord"), ["core-1"]);
  assert.deepEqual(names("site=nord ccr"), ["core-1"]);
  assert.deepEqual(names("10.0.0.7"), ["core-2"]);
  assert.deepEqual(names("nowhere"), []);
});

test("each status is counted, those without a device too", () => {
  const counts = countByStatus([row("a"), row("b", { status: "down" })]);
  assert.deepEqual(counts, { down: 1, degraded: 0, unknown: 0, up: 1, disabled: 0 });
});

test("slow groups are stale later than live ones", () => {
  assert.equal(staleAfterS("t0", { t0: 1, t2: 60 }, 5), 5);
  assert.equal(staleAfterS("t2", { t0: 1, t2: 60 }, 5), 180);
  assert.equal(staleAfterS("t9", undefined, 5), 5);
  assert.equal(isStale(0, 5e6, 5), false);
  assert.equal(isStale(0, 5e6 + 1, 5), true);
  assert.equal(isStale(null, 5e6, 5), false);
});

const LAYOUT = {
  layout: 3,
  group: "t0",
  series: [
    { key: "iface.ether1.rx_bytes_total", metric: "iface.rx_bytes_total", instance: "*1", label: "ether1", unit: "bytes", lane: "counter" },
    { key: "system.cpu.load_pct", metric: "system.cpu.load_pct", instance: "", label: "", unit: "percent", lane: "gauge" },
    { key: "iface.ether1.rx_bps", metric: "iface.rx_bps", instance: "*1", label: "ether1", unit: "bits_per_second", lane: "rate" },
    { key: "iface.ether2.rx_bps", metric: "iface.rx_bps", instance: "*2", label: "ether2", unit: "bits_per_second", lane: "rate" },
  ],
};

function detail() {
  const model = new DetailModel();
  model.apply({ layouts: [LAYOUT], updates: [{ layout: 3, t_us: 1e6, counters: ["18446744073709551615"], gauges: [7], rates: [10, null] }] });
  return model;
}

test("values find their series lane by lane", () => {
  const model = detail();
  assert.equal(model.get("system.cpu.load_pct").v, 7);
  assert.equal(model.get("iface.rx_bytes_total", "*1").v, "18446744073709551615");
  assert.equal(model.get("iface.rx_bps", "*1").v, 10);
  assert.equal(model.get("iface.rx_bps", "*2").v, null);
  assert.equal(model.lastUs, 1e6);
});

test("a new layout of a group forgets what it doesn't name, other groups stay", () => {
  const model = detail();
  model.apply({ layouts: [{ layout: 4, group: "t2", series: [] }, { layout: 5, group: "t0", series: LAYOUT.series.slice(0, 2) }], updates: [] });
  assert.equal(model.get("iface.rx_bps", "*1"), null);
  assert.equal(model.get("system.cpu.load_pct").v, 7);
  assert.deepEqual([...model.layouts.keys()].sort(), [4, 5]);
});

// An interface that moves to another poll group is in both for a moment.
const moving = (number, group, ...instances) => ({ layout: number, group, series: instances.map((instance) => ({ key: instance, metric: "iface.rx_bps", instance, label: instance, unit: "bits_per_second", lane: "rate" })) });
const rates = (layout, seconds, ...values) => ({ layout, t_us: seconds * 1e6, rates: values });

test("an interface that moves to another group keeps its values and its line", () => {
  const model = new DetailModel();
  model.apply({ layouts: [moving(1, "t1", "*1", "*2"), moving(2, "t0", "*3")], updates: [rates(1, 10, 10, 20), rates(2, 19, 3)] });
  model.apply({ layouts: [moving(3, "t0", "*2", "*3")], updates: [rates(3, 20, 21, 3)] });
  assert.deepEqual([model.get("iface.rx_bps", "*2").v, model.get("iface.rx_bps", "*2").group], [21, "t0"]);
  model.apply({ layouts: [moving(4, "t1", "*1")], updates: [rates(4, 20.5, 11)] });
  assert.equal(model.get("iface.rx_bps", "*2").v, 21);
  // And back: the slower group has read it, the faster one lets go of it a moment later.
  model.apply({ layouts: [moving(5, "t1", "*1", "*2")], updates: [rates(5, 30, 12, 22), rates(3, 30.2, 23, 3)] });
  model.apply({ layouts: [moving(6, "t0", "*3")], updates: [rates(6, 31, 3)] });
  assert.deepEqual([model.get("iface.rx_bps", "*2").v, model.get("iface.rx_bps", "*2").group], [23, "t1"]);
  assert.deepEqual(model.spark("iface.rx_bps", "*2").values().slice(-3), [21, 22, 22.5]);
});

test("what a group read before another one doesn't replace what that one knows", () => {
  const model = new DetailModel();
  model.apply({ layouts: [moving(1, "t1", "*1"), moving(2, "t0", "*1")], updates: [rates(2, 20, 2), rates(1, 11, 1)] });
  assert.deepEqual([model.get("iface.rx_bps", "*1").v, model.get("iface.rx_bps", "*1").tUs], [2, 20e6]);
});

test("an update of an unknown layout is left alone", () => {
  assert.deepEqual(detail().apply({ updates: [{ layout: 99, t_us: 2e6, counters: [], gauges: [], rates: [] }] }), []);
});

test("an interface joins what the inventory and the values say", () => {
  const joined = interfaceRow({ id: "*1", name: "ether1", label: "Uplink", type: "ether", physical: true, fields: { running: "true", disabled: "false" } }, detail());
  assert.equal(joined.state, "up");
  assert.equal(joined.rxBps, 10);
  assert.equal(joined.txBps, null);
  assert.equal(joined.faults, null);
  assert.equal(joined.utilisation, null);
  assert.equal(joined.physical, true);
  assert.deepEqual(interfaceRows([], detail()).map(({ label }) => label), ["ether1", "ether2"]);
});

test("what was lost in all is exact, whatever its size", () => {
  const totals = { "iface.rx_errors_total": "18446744073709551615", "iface.tx_drops_total": 2 };
  const model = { get: (metric) => ({ v: totals[metric] ?? null, tUs: 1, group: "t1" }) };
  assert.equal(interfaceRow({ id: "*1", name: "ether1" }, model).faultsTotal, "18446744073709551617");
});

test("a sum over ports is null if no port has a rate", () => {
  const values = new Map([["iface.rx_bps|*1", 10], ["iface.rx_bps|*2", null], ["iface.rx_bps|*3", 5]]);
  assert.equal(sumPorts(values, "iface.rx_bps", ["*1", "*2", "*3"]), 15);
  assert.equal(sumPorts(values, "iface.rx_bps", ["*2", "*9"]), null);
});

test("tiles of sensors appear only where the router has them, memory only if both sides are known", () => {
  const tiles = Object.fromEntries(kpis(detail(), undefined).map((tile) => [tile.id, tile]));
  assert.equal(tiles["system.cpu.load_pct"].value, 7);
  assert.equal(tiles.mem_pct.value, null);
  assert.equal(tiles.mem_pct.text, "–");
  assert.equal("temperature" in tiles, false);
});

const DAY = [
  { from_us: 0, to_us: 400, status: "unknown", reason: "" },
  { from_us: 400, to_us: 900, status: "up", reason: "" },
  { from_us: 900, to_us: 1000, status: "down", reason: "refused" },
];

test("health is cut to its window, short trouble stays visible", () => {
  const shown = timeline([...DAY, { from_us: 1000, to_us: 1000.001, status: "down", reason: "" }], 500, 1500);
  assert.deepEqual(shown.map(({ status, from_us: from }) => [status, from]), [["up", 500], ["down", 900], ["down", 1000]]);
  assert.ok(shown[2].width >= 2);
});

test("availability counts only what is known", () => {
  assert.equal(availability(DAY), (100 * 500) / 600);
  assert.equal(availability(DAY.slice(0, 1)), null);
});

test("a router that is new has a bar that begins with it", () => {
  const [day, now] = [86400e6, 1e12];
  const known = (from) => [{ status: "unknown", from_us: now - day }, { status: "up", from_us: from }];
  assert.equal(barStart(known(now - 7200e6), now, day), now - 7200e6);
  assert.equal(barStart(known(now - 5e6), now, day), now - 900e6);
  assert.equal(barStart(known(now - 2 * day), now, day), now - day);
  assert.equal(barStart([], now, day), now - day);
});

test("the last segment grows, another status begins another", () => {
  assert.equal(extendTo(DAY, 1100, { status: "down", reason: "refused" }).at(-1).to_us, 1100);
  // The status of before lasted until the new one began, not only until it was read.
  const [before, after] = extendTo(DAY, 1100, { status: "up", reason: "", since_us: 1090 }).slice(-2);
  assert.deepEqual([before.status, before.to_us], ["down", 1090]);
  assert.deepEqual(after, { from_us: 1090, to_us: 1100, status: "up", reason: "" });
  // What was read may be as of a moment after the change.
  assert.deepEqual(extendTo(DAY, 1100, { status: "up", since_us: 990 }).slice(-2).map(({ to_us: to }) => to), [990, 1100]);
  assert.equal(extendTo(DAY, 1100, { status: "up" }), DAY);
  assert.equal(extendTo(DAY, 900, { status: "up", since_us: 890 }), DAY);
});

test("only rows in view are drawn, wherever one scrolls", () => {
  const list = { viewHeight: 400, rowHeight: 40, total: 1000, margin: 8 };
  assert.deepEqual(rowsInView({ ...list, scrollTop: 0 }), { first: 0, last: 18, above: 0, below: 982 * 40 });
  const end = rowsInView({ ...list, scrollTop: 1e9 });
  assert.equal(end.last, 1000);
  assert.equal(end.below, 0);
  assert.ok(end.last - end.first <= 10 + 2 * 8);
  assert.deepEqual(rowsInView({ ...list, total: 0, scrollTop: 50 }), { first: 0, last: 0, above: 0, below: 0 });
});

test("no two rows that are drawn share a slot", () => {
  for (const viewHeight of [39, 400, 415, 1440]) {
    const list = { viewHeight, rowHeight: 40, total: 1000 };
    for (let scrollTop = 0; scrollTop < 2000; scrollTop += 13) {
      const { first, last } = rowsInView({ ...list, scrollTop });
      assert.ok(last - first <= Math.ceil(viewHeight / 40) + 2 * MARGIN + 2);
    }
  }
});

test("a row is scrolled into view only if it isn't", () => {
  const list = { scrollTop: 400, viewHeight: 400, rowHeight: 40 };
  assert.equal(scrollToShow({ ...list, row: 12 }), null);
  assert.equal(scrollToShow({ ...list, row: 5 }), 200);
  assert.equal(scrollToShow({ ...list, row: 20 }), 440);
});

test("a sparkline breaks where nothing is known", () => {
  const path = sparkPath([1, null, 1, 1], 30, 10, 1);
  assert.equal(path.match(/M/g).length, 2);
  assert.equal(sparkPath([null, null], 30, 10, 1), "");
});

test("the sum of now has no old value in it, and is unknown when all are old", () => {
  const values = new Map([["a", { v: 5, tUs: 90 }], ["b", { v: 7, tUs: 10 }], ["c", { v: 0, tUs: 95 }], ["d", { v: null, tUs: 95 }]]);
  const model = { get: (metric, id) => values.get(id) ?? null };
  const fresh = (tUs) => tUs > 50;
  assert.equal(sumNewest(model, "iface.rx_bps", ["a", "b", "c", "d", "e"], fresh), 5);
  assert.equal(sumNewest(model, "iface.rx_bps", ["b", "d"], fresh), null);
});
