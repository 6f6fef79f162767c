import assert from "node:assert/strict";
import { test } from "node:test";
import { layOut } from "../../mtd/api/console/app/pages/flows/sankey.js";
import { stackOf, tickText, ticksOf } from "../../mtd/api/console/app/pages/flows/stack.js";
import { fieldOf, keyText, paceOf, timeOf } from "../../mtd/api/console/app/pages/flows/flow_text.js";
import { FlowRecords } from "../../mtd/api/console/app/services/flow_records.js";
import { PageReading } from "#shared/lib/page_reading.js";
import { Recent } from "../../mtd/api/console/app/services/recent.js";
import { StandingTime } from "./kit.mjs";

const settled = async () => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
};

/** A daemon that answers what it is told to, in turn; `asked` are the paths and arguments. */
class Daemon {
  constructor(...answers) {
    this.answers = answers;
    this.asked = [];
  }

  get(path, params) {
    this.asked.push([path, params]);
    const answer = this.answers.shift();
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  }
}

// -- the diagram of paths

const close = (a, b) => assert.ok(Math.abs(a - b) < 1e-6, `${a} is not ${b}`);
const sumOf = (list) => list.reduce((sum, { value }) => sum + value, 0);
const PATHS = [
  { nodes: ["a", "TCP 443", "x"], value: 50 },
  { nodes: ["b", "TCP 443", "x"], value: 20 },
  { nodes: ["a", "UDP 53", "y"], value: 10 },
];
const COLUMNS = ["Source", "Service", "Destination"];

test("each column, and all bands between two, come to everything", () => {
  const { nodes, bands } = layOut({ paths: PATHS, rest: 20, columns: COLUMNS }, { width: 600, height: 400 });
  for (const column of [0, 1, 2]) close(sumOf(nodes.filter((node) => node.column === column)), 100);
  for (const column of [0, 1]) close(sumOf(bands.filter(({ source }) => source.column === column)), 100);
  const named = (column, key) => nodes.find((node) => node.column === column && node.key === key);
  assert.equal(named(0, "a").value, 60);
  assert.equal(named(1, "TCP 443").value, 70);
  assert.equal(named(2, null).name, "All others");
  assert.deepEqual(nodes.filter(({ column }) => column === 0).map(({ key }) => key), ["a", "b", null]);
  assert.ok(!layOut({ paths: PATHS, rest: 0, columns: COLUMNS }, { width: 600, height: 400 }).nodes.some(({ key }) => key === null));
});

test("bands leave and arrive within their nodes, one beside the other", () => {
  const { nodes, bands } = layOut({ paths: PATHS, rest: 20, columns: COLUMNS }, { width: 600, height: 400 });
  for (const node of nodes) {
    assert.ok(node.y >= 0 && node.y + node.height <= 400 + 1e-6);
    for (const [end, at] of [["source", "y0"], ["target", "y1"]]) {
      const mine = bands.filter((band) => band[end] === node).sort((a, b) => a[at] - b[at]);
      let edge = node.y;
      for (const band of mine) {
        close(band[at] - band.width / 2, edge);
        edge += band.width;
      }
      if (mine.length) close(edge, node.y + node.height);
    }
  }
});

test("nothing is drawn of nothing, or where there is no room", () => {
  assert.deepEqual(layOut({ paths: [], rest: 0, columns: COLUMNS }, { width: 600, height: 400 }), { nodes: [], bands: [] });
  assert.deepEqual(layOut({ paths: PATHS, rest: 0, columns: COLUMNS }, { width: 0, height: 400 }), { nodes: [], bands: [] });
});

// -- the chart

test("a stack comes to everything in each step, whatever is folded into all others", () => {
  const series = Array.from({ length: 20 }, (_, n) => ({ key: `k${n}`, label: "", values: [100 - n, n] }));
  const answer = { series, others: ["9007199254740993", 7], step_s: 60 };
  const stack = stackOf(answer, ({ key }) => key, Number);
  assert.equal(stack.length, 9);
  assert.ok(stack.at(-1).others);
  const sum = (at) => stack.reduce((all, { values }) => all + values[at], 0);
  assert.equal(sum(1), 7 + (19 * 20) / 2);
  assert.ok(sum(0) / (2 ** 53 + 1810) - 1 < 1e-14); // what is beyond exact numbers comes as text
  const few = stackOf({ series: series.slice(0, 2), others: [0, 0] }, ({ key }) => key, Number);
  assert.deepEqual(few.map(({ label }) => label), ["k0", "k1"]);
});

test("an amount of a step is told as what came in a second", () => {
  assert.equal(paceOf(600, "octets", 60), 80);
  assert.equal(paceOf("600", "packets", 60), 10);
});

test("ticks are as many as fit, at round times; days where the time is long", () => {
  const hour = 3600000;
  const end = new Date(2026, 10, 25, 15, 0).getTime();
  for (const span of [hour, 6 * hour, 24 * hour, 168 * hour, 720 * hour, 9600 * hour]) {
    const ticks = ticksOf(end - span, end, 8);
    assert.ok(ticks.length >= 2 && ticks.length <= 9, `${span / hour} h: ${ticks.length}`);
    for (const { value } of ticks) assert.equal(new Date(value).getSeconds(), 0);
  }
  assert.equal(tickText(new Date(2026, 10, 25, 9, 5).getTime(), hour), "09:05");
  assert.equal(tickText(new Date(2026, 10, 25).getTime(), 30 * 24 * hour), "11-25");
});

// -- words

test("keys are told in the words of people, and what isn't known as that", () => {
  assert.equal(keyText("protocol", { key: "6", label: "" }), "TCP (6)");
  assert.equal(keyText("protocol", { key: "200", label: "" }), "200");
  assert.equal(keyText("in_interface", { key: "3", label: "ether3" }), "ether3 (3)");
  assert.equal(keyText("in_interface", { key: "3", label: "" }), "3");
  assert.equal(keyText("src_country", { key: "", label: "" }), "Not known");
  assert.equal(keyText("src_as", { key: "64500", label: "" }), "AS64500");
  assert.equal(keyText("src_as", { key: "0", label: "" }), "Not known");
  assert.equal(keyText("total", { key: "", label: "" }), "Everything");
});

test("a time goes into a field and comes back, and what is none is none", () => {
  const us = new Date(2026, 10, 25, 14, 3, 22).getTime() * 1000;
  assert.equal(fieldOf(us), "2026-11-25T14:03:22");
  assert.equal(timeOf(fieldOf(us)), us);
  for (const none of ["", "soon"]) assert.equal(timeOf(none), null);
  assert.equal(fieldOf(null), "");
});

// -- what is read

test("a page is read when it is wanted, anew after a while, and not while nobody looks", async (t) => {
  const time = new StandingTime(t);
  const daemon = new Daemon({ n: 1 }, { n: 2 }, { n: 3 }, { n: 4 });
  const page = new PageReading(daemon, "flows");
  page.want({ dimension: "a" }, 30000);
  assert.equal(page.answer, null);
  await settled();
  assert.deepEqual([page.answer, daemon.asked.length], [{ n: 1 }, 1]);
  page.want({ dimension: "a" }, 30000); // the same: nothing to do
  time.tick(29999);
  assert.equal(daemon.asked.length, 1);
  time.tick(1);
  await settled();
  assert.equal(page.answer.n, 2);
  page.pause(true);
  time.tick(60000);
  await settled();
  assert.equal(daemon.asked.length, 2);
  page.pause(false);
  await settled();
  assert.equal(page.answer.n, 3);
  page.want({ dimension: "b" });
  assert.equal(page.answer, null);
  await settled();
  assert.deepEqual(daemon.asked.at(-1), ["flows", { dimension: "b" }]);
  time.tick(300000);
  assert.equal(daemon.asked.length, 4);
  page.want(null);
  assert.deepEqual([page.answer, page.error], [null, null]);
  page.close();
});

test("an answer that comes after something else was wanted is left", async () => {
  let slow;
  const answers = [new Promise((resolve) => (slow = resolve)), Promise.resolve({ n: "new" })];
  const page = new PageReading({ get: () => answers.shift() }, "flows");
  page.want({ a: 1 });
  page.want({ a: 2 });
  slow({ n: "old" });
  await settled();
  assert.equal(page.answer?.n, "new");
  page.close();
});

test("what is refused is told, and not asked for again", async (t) => {
  const time = new StandingTime(t);
  const refused = Object.assign(new Error("no"), { status: 400 });
  const daemon = new Daemon(refused, { n: 1 });
  const page = new PageReading(daemon, "flows");
  page.want({ a: 1 }, 1000);
  await settled();
  time.tick(60000);
  await settled();
  assert.deepEqual([page.error, daemon.asked.length], [refused, 1]);
  page.want({ a: 2 }, 1000);
  await settled();
  assert.deepEqual([page.error, page.answer.n], [null, 1]);
  page.close();
});

test("records come page by page, and others begin anew", async () => {
  const daemon = new Daemon(
    { records: [1, 2], older: "t1", truncated: false },
    { records: [3], older: "t2", truncated: true },
    { records: [], older: null, truncated: false },
    { records: [9], older: null, truncated: false },
  );
  const log = new FlowRecords(daemon);
  log.want(null);
  assert.equal(log.wanted, false);
  log.want({ address: "192.0.2.1", time_us: 5 });
  await settled();
  assert.deepEqual([log.records, log.older, log.loaded], [[1, 2], "t1", true]);
  await log.more();
  assert.deepEqual([log.records, log.truncated], [[1, 2, 3], true]);
  await log.more();
  await log.more(); // there are no more
  assert.deepEqual(daemon.asked.map(([, { older }]) => older), [null, "t1", "t2"]);
  log.want({ address: "192.0.2.1", time_us: 6 });
  assert.deepEqual([log.records, log.loaded], [[], false]);
  await settled();
  assert.deepEqual(log.records, [9]);
  log.close();
});

test("totals tell what came of late, and nothing across another start", () => {
  const recent = new Recent(60);
  const at = (seconds, value, start = 1) => recent.push(seconds * 1e6, new Map([["lost", value]]), start);
  at(0, 5);
  assert.deepEqual([recent.grown("lost"), recent.seconds], [null, 0]);
  at(10, 7);
  assert.deepEqual([recent.grown("lost"), recent.seconds], [2, 10]);
  for (let s = 20; s <= 200; s += 10) at(s, 7 + s);
  assert.deepEqual([recent.grown("lost"), recent.seconds], [60, 60]);
  assert.equal(recent.grown("new"), 0);
  at(210, 1, 2);
  assert.equal(recent.grown("lost"), null);
});
