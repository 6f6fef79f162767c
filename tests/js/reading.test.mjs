// What is read once and after each break: that it is repeated, in order, and never too often.
import assert from "node:assert/strict";
import { test } from "node:test";
import { DetailModel } from "#shared/lib/detail.js";
import { Ring } from "#shared/lib/ring.js";
import { DeviceSource } from "../../mtd/api/console/app/pages/device/device_source.js";
import { TrafficFeed } from "#shared/lib/traffic_feed.js";
import { EventLog } from "../../mtd/api/console/app/services/event_log.js";
import { Refusal } from "../../mtd/api/console/app/services/http.js";
import { Reading } from "#shared/lib/reading.js";
import { StandingTime } from "./kit.mjs";

const settled = () => new Promise((done) => setImmediate(done));

/** Requests that are answered when the test says so. */
class Daemon {
  asked = [];

  get = (path, params, signal) =>
    new Promise((answer, refuse) => {
      signal.addEventListener("abort", () => refuse(new Error("called off")));
      this.asked.push({ path, params, signal, answer, refuse: (status) => refuse(new Refusal(status)) });
    });

  of(end) {
    return this.asked.filter(({ path }) => path.endsWith(end));
  }
}

function source(t) {
  const time = new StandingTime(t);
  const daemon = new Daemon();
  const one = new DeviceSource("d1", { http: daemon, live: { phase: "live", breaks: 0 } });
  t.after(() => one.close());
  return { time, daemon, one };
}

test("a failed reading is repeated, and no other one's success hides it", async (t) => {
  const { time, daemon, one } = source(t);
  one.load();
  daemon.of("/health")[0].refuse(503);
  daemon.of("devices/d1")[0].answer({ device: { name: "a" } });
  await settled();
  assert.equal(one.error.status, 503);
  time.tick(400);
  daemon.of("/health")[1].answer({ segments: [1] });
  await settled();
  assert.deepEqual([one.error, one.health, one.device.name], [null, [1], "a"]);
  time.tick(60_000);
  assert.equal(daemon.of("/health").length, 2);
});

test("what was refused for good isn't asked again, and who has left asks nothing", async (t) => {
  const { time, daemon, one } = source(t);
  one.load();
  daemon.of("devices/d1")[0].refuse(404);
  daemon.of("/health")[0].refuse(0);
  await settled();
  one.close();
  time.tick(60_000);
  await settled();
  assert.deepEqual([daemon.of("devices/d1").length, daemon.of("/health").length, time.waiting], [1, 1, 0]);
});

test("the first connection doesn't have all read twice, each later one does", async (t) => {
  const time = new StandingTime(t);
  const daemon = new Daemon();
  const live = { phase: "connecting", breaks: 0 };
  const one = new DeviceSource("d1", { http: daemon, live });
  t.after(() => one.close());
  one.load();
  live.phase = "live";
  one.load();
  await settled();
  assert.equal(daemon.asked.length, 4);
  one.load(); // events were missed
  await settled();
  assert.equal(daemon.asked.length, 8);
  live.breaks = 1;
  one.load();
  await settled();
  assert.equal(daemon.asked.length, 12);
  one.close();
  assert.equal(time.waiting, 0);
});

test("events that new ones pushed out are read again by who asks for older ones", async () => {
  const asked = [];
  const event = (position) => ({ position, t_us: position * 10 });
  const pages = [{ events: [event(3), event(2)], before: null, position: 3 }, { events: [event(2), event(1)], before: null }];
  const log = new EventLog({ get: async (path, params) => (asked.push(params.before), pages.shift()) }, "events", 3);
  await log.load();
  log.add([event(4), event(5), event(6)]);
  assert.deepEqual(log.events.map(({ position }) => position), [6, 5, 4]);
  await log.older();
  assert.deepEqual(asked, [undefined, 4]);
  log.add([event(7)]);
  assert.equal(log.before, 2);
});

test("of many events at once two readings are made, one after the other", async (t) => {
  const time = new StandingTime(t);
  const daemon = new Daemon();
  let told = 0;
  const reading = new Reading((signal) => daemon.get("a", {}, signal), () => (told += 1));
  for (let event = 0; event < 50; event += 1) reading.soon();
  await settled();
  assert.equal(daemon.asked.length, 1);
  time.tick(2000);
  await settled();
  assert.equal(daemon.asked.length, 1); // the first one is still under way
  daemon.asked[0].answer();
  await settled();
  assert.equal(daemon.asked.length, 2);
  daemon.asked[1].answer();
  await settled();
  time.tick(60_000);
  assert.deepEqual([daemon.asked.length, told, reading.busy], [2, 2, false]);
});

test("after a break what hangs is called off and read anew", async () => {
  const daemon = new Daemon();
  const got = [];
  const reading = new Reading(async (signal) => got.push(await daemon.get("a", {}, signal)), () => {});
  reading.now();
  const again = reading.now();
  await settled();
  assert.equal(daemon.asked[0].signal.aborted, true);
  daemon.asked[1].answer("new");
  await again;
  assert.deepEqual([got, reading.error], [["new"], null]);
});

test("the chart repeats a failed reading, and a new window isn't thinned as the old one was", async (t) => {
  const time = new StandingTime(t);
  const daemon = new Daemon();
  const feed = new TrafficFeed({ model: new DetailModel(), history: (params, signal) => daemon.get("history", params, signal) }, () => {});
  t.after(() => feed.close());
  feed.show({ instances: ["*1"], seconds: 86400 });
  daemon.asked[0].refuse(0);
  await settled();
  assert.equal(feed.error.status, 0);
  time.tick(400);
  daemon.asked[1].answer({ series: [], bucket_us: 300e6 });
  await settled();
  assert.deepEqual([feed.error, feed.bucketUs], [null, 300e6]);
  feed.show({ instances: ["*1"], seconds: 60 });
  assert.equal(feed.bucketUs, 0);
  assert.ok(feed.rx.bucketUs < 1e6);
});

test("history that comes after live values is put below them", () => {
  const model = new DetailModel();
  model.spark("iface.rx_bps", "*1").push(40e6, 4);
  model.spark("iface.rx_bps", "*1").push(50e6, 6);
  model.fillSpark("iface.rx_bps", "*1", [20e6, 25e6, 40e6], [1, 2, 3]);
  assert.deepEqual(model.spark("iface.rx_bps", "*1").values().slice(-7), [1, 2, null, null, 3, null, 6]);
  model.spark("iface.rx_bps", "*1").push(51e6, 8); // the step isn't over: it has the mean of both
  assert.equal(model.spark("iface.rx_bps", "*1").values().at(-1), 7);
});

test("a line that is extended by an older one stays as it is", () => {
  const [line, older] = [new Ring(3, 10), new Ring(3, 10)];
  line.push(50, 5);
  older.push(30, 3);
  line.extend(older);
  line.extend(new Ring(3, 10));
  assert.deepEqual(line.values(), [null, null, 5]);
});
