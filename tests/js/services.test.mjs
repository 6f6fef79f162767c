import assert from "node:assert/strict";
import { test } from "node:test";
import { Clock } from "#shared/lib/clock.js";
import { EventLog } from "../../mtd/api/console/app/services/event_log.js";
import { backoffMs } from "#shared/lib/backoff.js";
import { LiveChannel } from "../../mtd/api/console/app/services/live.js";
import { formatHash, parseHash } from "../../mtd/api/console/app/services/router.js";
import { Store } from "../../mtd/api/console/app/services/store.js";
import { Theme } from "../../mtd/api/console/app/services/theme.js";
import { StandingTime } from "./kit.mjs";

class FakeSocket {
  static made = [];

  constructor(url) {
    this.url = url;
    this.readyState = 0;
    this.sent = [];
    FakeSocket.made.push(this);
  }

  accept() {
    this.readyState = 1;
    this.onopen();
  }

  tell(message) {
    this.onmessage({ data: JSON.stringify(message) });
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onclose();
  }
}

function channel(t) {
  const time = new StandingTime(t);
  FakeSocket.made = [];
  const clock = new Clock();
  const live = new LiveChannel({ url: "http://mtd/console/live#/devices", clock, WebSocket: FakeSocket });
  t.after(() => live.close());
  live.open();
  return { live, time, socket: FakeSocket.made[0] };
}

const HELLO = { type: "hello", now_us: 1_000_000, stale_after_s: 5 };

test("addresses go apart and together again", () => {
  assert.deepEqual(parseHash(""), { page: "devices", id: null, params: {} });
  assert.deepEqual(parseHash("#/devices?status=down&q=a%20b"), { page: "devices", id: null, params: { status: "down", q: "a b" } });
  assert.deepEqual(parseHash("#/devices/4a-b"), { page: "device", id: "4a-b", params: {} });
  assert.equal(parseHash("#/nonsense").page, "devices");
  for (const junk of ["#/devices/%", "#/%E0%A4%A", "#/devices/a%2", "#%?%"]) assert.deepEqual([parseHash(junk).page, parseHash(junk).id], ["devices", null]);
  assert.equal(formatHash("devices", { status: "", q: "a b" }), "#/devices?q=a+b");
});

test("without storage the theme holds until the page is closed", (t) => {
  globalThis.document = { documentElement: { dataset: {} } };
  t.after(() => delete globalThis.document);
  const theme = new Theme(() => {
    throw new Error("forbidden");
  });
  assert.equal(theme.name, "auto");
  theme.next();
  assert.equal(document.documentElement.dataset.theme, "light");
});

test("back-off grows, has a cap, and is spread", () => {
  assert.ok(backoffMs(0, () => 0.5) < backoffMs(3, () => 0.5));
  assert.equal(backoffMs(50, () => 0.5), 8000);
  assert.ok(backoffMs(2, () => 0) < backoffMs(2, () => 1));
});

test("what is in view is told once, soon, and again after a break", (t) => {
  const { live, time, socket } = channel(t);
  assert.equal(socket.url, "ws://mtd/console/live");
  socket.accept();
  socket.tell(HELLO);
  const page = {};
  live.view(page, { devices: ["a"] });
  live.view(page, { devices: ["a", "b"] });
  time.tick(200);
  assert.equal(socket.sent.length, 2);
  assert.deepEqual(socket.sent[1], { op: "view", look: 1, devices: ["a", "b"], detail: null, rank: true, events: "none", after: null, self: false });

  socket.close();
  assert.equal(live.phase, "lost");
  assert.equal(live.lostAtUs, 1_000_000);
  time.tick(400);
  const again = FakeSocket.made[1];
  again.accept();
  again.tell(HELLO);
  assert.equal(live.phase, "live");
  assert.deepEqual(again.sent[0].devices, ["a", "b"]);
});

test("a page that is left late doesn't take the next page's view away", (t) => {
  const { live, time, socket } = channel(t);
  socket.accept();
  const [first, second] = [{}, {}];
  live.view(first, { detail: "a" });
  live.view(second, { self: true });
  live.leave(first);
  time.tick(200);
  assert.equal(socket.sent.at(-1).self, true);
  live.leave(second);
  time.tick(200);
  assert.equal(socket.sent.at(-1).self, false);
});

test("who goes away and comes back at once asks anew", (t) => {
  const { live, time, socket } = channel(t);
  socket.accept();
  const [first, second] = [{}, {}];
  live.view(first, { detail: "a" });
  time.tick(200);
  live.leave(first);
  live.view(second, { detail: "a" });
  time.tick(200);
  live.view(second, { detail: "a" });
  time.tick(200);
  assert.deepEqual(socket.sent.slice(1).map(({ detail, look }) => [detail, look]), [["a", 1], ["a", 2]]);
});

test("silence counts as a broken way", (t) => {
  const { live, time, socket } = channel(t);
  socket.accept();
  socket.tell(HELLO);
  time.tick(15_000);
  socket.tell({ type: "rank", now_us: 2_000_000, values: {} });
  time.tick(15_000);
  assert.equal(live.phase, "live");
  socket.close = () => {}; // a frozen peer doesn't answer a farewell
  time.tick(10_000);
  assert.equal(live.phase, "lost");
});

test("after a sleep the channel calls anew, and what was told looks as old as it is", (t) => {
  const time = new StandingTime(t);
  FakeSocket.made = [];
  const machine = { steady: 0, wall: 5_000_000 };
  const clock = new Clock({ steadyMs: () => machine.steady, wallMs: () => machine.wall });
  const live = new LiveChannel({ url: "http://mtd/live", clock, WebSocket: FakeSocket });
  live.open();
  FakeSocket.made[0].accept();
  FakeSocket.made[0].tell(HELLO);
  const pass = (steady, wall) => {
    machine.steady += steady;
    machine.wall += wall;
    clock._tick();
  };
  pass(1000, 1000);
  pass(60_000, 61_000); // a page in the background ticks seldom, and clocks are put right by a little
  assert.equal(live.phase, "live");
  pass(1000, 3_601_000);
  assert.deepEqual([live.phase, live.lostAtUs], ["lost", 1_000_000]);
  assert.equal(clock.nowUs(), 1_000_000 + (62 + 3600) * 1e6);
  time.tick(400);
  assert.equal(FakeSocket.made.length, 2);
  live.close();
  assert.equal(clock.size, 0);
});

test("a handshake that is never answered is given up", (t) => {
  const { live, time, socket } = channel(t);
  time.tick(9_000);
  assert.equal(live.phase, "connecting");
  time.tick(1_400);
  assert.equal(live.phase, "lost");
  assert.equal(FakeSocket.made.length, 2);
  socket.tell(HELLO); // too late
  assert.equal(live.phase, "lost");
});

test("who doesn't want to wait replaces an attempt that hangs", (t) => {
  const { live, time, socket } = channel(t);
  socket.close();
  time.tick(400);
  live.retryNow();
  assert.deepEqual(FakeSocket.made.map(({ readyState }) => readyState), [3, 3, 0]);
  FakeSocket.made[2].accept();
  FakeSocket.made[2].tell(HELLO);
  assert.equal(live.phase, "live");
  live.retryNow();
  time.tick(15_000);
  assert.deepEqual([live.phase, FakeSocket.made.length], ["live", 3]);
});

test("a channel that is closed leaves no timer behind", (t) => {
  const { live, time, socket } = channel(t);
  socket.accept();
  live.view({}, { self: true });
  live.close();
  assert.equal(time.waiting, 0);
});

test("the store follows what is added, changed and gone", () => {
  const store = new Store(new Clock());
  store._fleet({ complete: true, devices: [{ id: "a", status: "up" }, { id: "b", status: "up" }] });
  store._values({ devices: { a: { t_us: 5, rx_bps: 1, tx_bps: null } } });
  store._fleet({ complete: false, devices: [{ id: "a", status: "down", last_seen_us: 3 }], gone: ["b"] });
  assert.deepEqual([...store.devices.keys()], ["a"]);
  assert.equal(store.devices.get("a").status, "down");
  assert.equal(store.seenUs(store.devices.get("a")), 5);
  store._fleet({ complete: true, devices: [{ id: "c", status: "up" }] });
  assert.deepEqual([...store.devices.keys()], ["c"]);
  assert.equal(store.values.size, 0);
});

test("a list that comes in several messages is complete with the last one", () => {
  const store = new Store(new Clock());
  let told = 0;
  store.on("fleet", () => (told += 1));
  const rows = (...ids) => ids.map((id) => ({ id, status: "up" }));
  store._fleet({ complete: true, devices: rows("a"), gone: [], more: true });
  assert.equal(store.complete, false);
  store._fleet({ complete: false, devices: rows("b"), gone: [] });
  assert.deepEqual([store.complete, told, [...store.devices.keys()]], [true, 1, ["a", "b"]]);

  // Changes may come in several messages as well: they say nothing of those that they don't name.
  store._fleet({ complete: false, devices: rows("c"), gone: ["a"], more: true });
  store._fleet({ complete: false, devices: rows("d"), gone: [] });
  assert.deepEqual([...store.devices.keys()], ["b", "c", "d"]);

  // A complete one that a break cut off forgets nobody; the next one does.
  store._fleet({ complete: true, devices: rows("b"), gone: [], more: true });
  store._hello({});
  store._fleet({ complete: true, devices: rows("c"), gone: [], more: true });
  assert.deepEqual([...store.devices.keys()], ["b", "c", "d"]);
  store._fleet({ complete: false, devices: rows("e"), gone: [] });
  assert.deepEqual([...store.devices.keys()], ["c", "e"]);
});

const event = (position) => ({ position, t_us: position * 10, message: `${position}` });

function answering(...pages) {
  const asked = [];
  return { asked, get: async (path, params) => (asked.push(params), pages.shift()) };
}

test("events are merged once, newest first, and bounded", async () => {
  const http = answering({ events: [event(3), event(2)], before: 2, position: 7 }, { events: [event(1)], before: null });
  const log = new EventLog(http, "events", 3);
  await log.load();
  log.add([event(3), event(4)]);
  assert.deepEqual(log.events.map(({ position }) => position), [4, 3, 2]);
  assert.equal(log.position, 7);
  await log.older();
  assert.equal(log.position, 7);
  assert.deepEqual(http.asked[1], { limit: 100, before: 2 });
  assert.deepEqual(log.events.map(({ position }) => position), [4, 3, 2, 1]);
  assert.equal(log.before, null);
});

test("an event that is told again takes the place of what was told before", async () => {
  const log = new EventLog(answering({ events: [event(3), event(2)], before: 2 }), "events", 10);
  await log.load();
  log.add([{ ...event(4), t_us: 5, replaces: [2] }]);
  assert.deepEqual(log.events.map(({ position }) => position), [3, 4]);
  // Another line was nearer: the first one stands for itself again.
  log.add([{ ...event(5), t_us: 5, replaces: [4] }, event(2)]);
  assert.deepEqual(log.events.map(({ position }) => position), [3, 2, 5]);
});

test("after a long break the list begins anew instead of hiding a hole", async () => {
  const http = answering({ events: [event(3), event(2)], before: 2 }, { events: [event(90), event(89)], before: 89 });
  const log = new EventLog(http, "events", 100);
  await log.load();
  await log.load();
  assert.deepEqual(log.events.map(({ position }) => position), [90, 89]);
  assert.equal(log.before, 89);
});
