// The live view in Odoo: what keeps it going, and that nobody is shown old values for new ones.
import assert from "node:assert/strict";
import { test } from "node:test";
import { DetailModel } from "#shared/lib/detail.js";
import { StandingTime } from "./kit.mjs";
import { FakeBus, FakeOrm, odooError, payload } from "./odoo/kit.mjs";

const { Emitter } = await import("#shared/lib/emitter.js");
const { LiveHub } = await import("#shared/odoo/live_hub.js");
const { MessageReader } = await import("#shared/odoo/message_reader.js");
const { patientMs, refusalOf } = await import("#shared/odoo/orm_reader.js");
const { ConnectionLostError } = await import("@web/core/network/rpc_service");

const NOW_US = 1_800_000_000e6;
const settled = () => new Promise((done) => setImmediate(done));

/** A page that can be hidden, and left. */
class FakePage extends EventTarget {
  hidden = false;
  beacons = [];
  defaultView = Object.assign(new EventTarget(), { navigator: { sendBeacon: (url, body) => this.beacons.push([url, body]) } });

  hide(hidden) {
    this.hidden = hidden;
    this.dispatchEvent(new Event("visibilitychange"));
  }
}

/** A clock whose time a test tells. */
class FakeClock extends Emitter {
  ms = 0;
  running = false;
  offsetUs = NOW_US;
  nowUs = () => this.offsetUs + this.ms * 1000;
  sync = (nowUs) => (this.offsetUs = nowUs - this.ms * 1000);
  start = () => (this.running = true);
  stop = () => (this.running = false);
}

function stage(t, answers = {}) {
  const time = new StandingTime(t);
  const [bus, orm, clock, page] = [new FakeBus(), new FakeOrm(answers), new FakeClock(), new FakePage()];
  const hub = new LiveHub({ orm, bus, clock, page, steadyMs: () => clock.ms });
  const pass = (seconds) => {
    for (let second = 0; second < seconds; second += 1) {
      clock.ms += 1000;
      time.tick(1000);
      clock.emit("tick");
    }
  };
  const tell = async (id, more = {}) => {
    bus.tell(payload(id, clock.nowUs(), more));
    await settled();
  };
  return { time, bus, orm, clock, page, hub, pass, tell };
}

test("widgets of one page share a subscription, and the last one ends it", async (t) => {
  const { bus, orm, hub, pass, clock } = stage(t);
  assert.equal(hub.watch(42), hub.watch(42));
  await settled();
  assert.deepEqual(bus.channels, ["mikrotik_monitoring.device.42"]);
  assert.deepEqual(orm.of("live_watch").map(({ args }) => args), [[[42], hub.viewer]]);
  assert.match(hub.viewer, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  hub.release(42);
  pass(5);
  assert.equal(bus.channels.length, 1);
  hub.release(42);
  pass(1);
  hub.watch(42); // another page of the form
  pass(5);
  assert.deepEqual([bus.channels.length, orm.of("live_watch").length], [1, 1]);
  hub.release(42);
  pass(5);
  await settled();
  assert.deepEqual([bus.channels, orm.of("live_unwatch").length, clock.running], [[], 1, false]);
});

test("the heartbeat goes on each 20 seconds, and a failed one is repeated with growing waits", async (t) => {
  let answer = null;
  const { orm, hub, pass } = stage(t, { live_watch: ([[id]]) => answer ?? { channel: `c.${id}`, kind: "plain", bridge_seen_s: 1 } });
  const feed = hub.watch(1);
  await settled();
  pass(19);
  await settled();
  assert.equal(orm.of("live_watch").length, 1);
  pass(2);
  await settled();
  assert.equal(orm.of("live_watch").length, 2);
  answer = new ConnectionLostError("lost");
  pass(20);
  await settled();
  assert.equal(feed.error.status, 0);
  pass(3);
  await settled();
  assert.equal(orm.of("live_watch").length, 4);
  answer = null;
  pass(6);
  await settled();
  assert.deepEqual([feed.error, orm.of("live_watch").length], [null, 5]);
});

test("messages make it live, five silent seconds make it lost, and the next message live again", async (t) => {
  const { hub, pass, tell } = stage(t);
  const feed = hub.watch(1);
  const phases = [];
  feed.on("phase", (phase) => phases.push(phase));
  await settled();
  await tell(1);
  assert.equal(feed.phase, "live");
  const lastUs = feed.lastNowUs;
  pass(5);
  assert.equal(feed.phase, "live");
  pass(1);
  assert.deepEqual([feed.phase, feed.lostAtUs], ["lost", lastUs]);
  assert.match(feed.trouble, /sends nothing/);
  await tell(1);
  assert.deepEqual(phases, ["live", "lost", "live"]);
  assert.equal(feed.trouble, "");
});

test("after each connection what was missed is read", async (t) => {
  const { hub, orm, pass, tell } = stage(t);
  hub.watch(1);
  await settled();
  await tell(1);
  await tell(1);
  assert.equal(orm.of("live_history").length, 1);
  pass(6);
  await tell(1);
  assert.equal(orm.of("live_history").length, 2);
});

test("without a bridge it is said what to do", async (t) => {
  for (const [seen, told] of [[null, /No bridge has ever connected/], [600, /bridge doesn't run/]]) {
    const { hub, pass } = stage(t, { live_watch: { channel: "c", kind: "plain", bridge_seen_s: seen } });
    const feed = hub.watch(1);
    await settled();
    pass(5);
    assert.equal(feed.phase, "connecting");
    pass(6);
    assert.equal(feed.phase, "lost");
    assert.match(feed.trouble, told);
  }
});

test("who may not see a router is told so, and asks no more", async (t) => {
  const { bus, hub, orm, pass } = stage(t, { live_watch: odooError("AccessError", "Not yours.") });
  const feed = hub.watch(1);
  await settled();
  pass(60);
  await settled();
  assert.deepEqual([feed.phase, feed.trouble, orm.of("live_watch").length, bus.channels], ["lost", "Not yours.", 1, []]);
});

test("who gains or loses subscriber data gets the messages that are meant for them", async (t) => {
  let kind = "plain";
  const { bus, hub, pass, tell } = stage(t, { live_watch: ([[id]]) => ({ channel: `c.${id}`, kind, bridge_seen_s: 1 }) });
  const feed = hub.watch(1);
  await settled();
  assert.equal(bus.forced, 0); // a new name is asked for as it is
  for (const [next, forced] of [["full", 1], ["full", 1], ["plain", 2]]) {
    kind = next;
    pass(20);
    await settled();
    assert.deepEqual([feed.kind, bus.forced, bus.channels], [next, forced, ["c.1"]]);
  }
  await tell(1);
  assert.equal(feed.phase, "live");
});

test("a tab that is hidden for a minute lets go, and takes up again when it is seen", async (t) => {
  const { bus, hub, orm, page, pass, tell } = stage(t);
  const feed = hub.watch(1);
  await settled();
  await tell(1);
  page.hide(true);
  for (let half = 0; half < 59; half += 1) {
    pass(1);
    await tell(1);
  }
  page.hide(false);
  pass(2);
  assert.deepEqual([bus.channels.length, orm.of("live_unwatch").length], [1, 0]);
  page.hide(true);
  pass(61);
  await settled();
  assert.deepEqual([bus.channels, orm.of("live_unwatch").length, feed.phase], [[], 1, "connecting"]);
  await tell(1); // it was under way
  assert.equal(feed.phase, "connecting");
  const asked = orm.of("live_watch").length;
  pass(100);
  assert.equal(orm.of("live_watch").length, asked);
  page.hide(false);
  await settled();
  assert.equal(bus.channels.length, 1);
  await tell(1);
  assert.equal(feed.phase, "live");
});

test("a page that is left says so without waiting for an answer", async (t) => {
  const { hub, page } = stage(t);
  hub.watch(9);
  await settled();
  page.defaultView.dispatchEvent(new Event("pagehide"));
  const [[url, body]] = page.beacons;
  assert.equal(url, "/web/dataset/call_kw/mikrotik.device/live_unwatch");
  assert.deepEqual(JSON.parse(await body.text()).params.args, [[9], hub.viewer]);
});

test("of what the bus kept only the newest counts, and none of it for the present", async (t) => {
  const { bus, clock, hub } = stage(t);
  const feed = hub.watch(1);
  await settled();
  const now = clock.nowUs();
  for (const ago of [60e6, 30e6, 1e6]) bus.tell(payload(1, now - ago, { rx: ago }));
  let updates = 0;
  feed.on("update", () => (updates += 1));
  await settled();
  assert.deepEqual([feed.lastNowUs, feed.summary.rx_bps, updates], [now - 1e6, 1e6, 2]);
  bus.tell(payload(1, now - 60e6));
  await settled();
  assert.deepEqual([feed.late, feed.lastNowUs], [1, now - 1e6]);
});

test("a sender whose clock was set back is believed with its second message", async (t) => {
  const { bus, clock, hub } = stage(t);
  const feed = hub.watch(1);
  await settled();
  const now = clock.nowUs();
  for (const at of [now, now - 3600e6, now - 3599e6]) {
    bus.tell(payload(1, at));
    await settled();
  }
  assert.deepEqual([feed.late, feed.lastNowUs, clock.nowUs()], [1, now - 3599e6, now - 3599e6]);
});

test("messages of another version aren't guessed at, and it is said what to do", async (t) => {
  const { hub, pass, tell } = stage(t);
  const feed = hub.watch(1);
  await settled();
  await tell(1, { v: 2 });
  assert.deepEqual([feed.phase, feed.summary], ["connecting", null]);
  pass(11);
  assert.match(feed.trouble, /reload the page/);
});

test("when the bus connects again the heartbeat doesn't wait", async (t) => {
  const { bus, hub, orm } = stage(t);
  hub.watch(1);
  await settled();
  bus.trigger("reconnect");
  await settled();
  assert.equal(orm.of("live_watch").length, 2);
});

test("a channel is listened to as long as somebody wants it", (t) => {
  const { bus, hub } = stage(t);
  const ends = [hub.listen("d.1"), hub.listen("d.1")];
  assert.deepEqual(bus.channels, ["d.1"]);
  ends[0]();
  assert.deepEqual(bus.channels, ["d.1"]);
  ends[1]();
  assert.deepEqual(bus.channels, []);
});

test("a message becomes values of series, with exact counters and the keys that mtd stores", () => {
  const [reader, model] = [new MessageReader(), new DetailModel()];
  model.apply(reader.read(payload(1, NOW_US)));
  const rx = model.get("iface.rx_bps", "*1");
  assert.deepEqual([rx.v, rx.key, rx.unit, rx.group, rx.tUs], [1e6, "iface.ether1.rx_bps", "bits_per_second", "t0", NOW_US - 2e5]);
  assert.equal(model.get("iface.rx_bytes_total", "*1").v, "9007199254740993");
  assert.equal(model.get("system.cpu.load_pct").v, 7);
  assert.equal(model.get("iface.rx_bps", "*2"), null); // it never had a value
});

test("values that were told before aren't told again as new ones", () => {
  const reader = new MessageReader();
  reader.read(payload(1, NOW_US));
  const again = reader.read(payload(1, NOW_US + 1e6, { tUs: NOW_US - 2e5 }));
  assert.deepEqual(again, { layouts: [], updates: [] });
  const next = reader.read(payload(1, NOW_US + 1e6));
  assert.deepEqual([next.layouts.length, next.updates.map(({ t_us: tUs }) => tUs)], [0, [NOW_US + 8e5, NOW_US - 42e5]]);
});

test("a rate that can't be told leaves a gap, and a group that is gone leaves nothing", () => {
  const [reader, model] = [new MessageReader(), new DetailModel()];
  model.apply(reader.read(payload(1, NOW_US)));
  model.apply(reader.read(payload(1, NOW_US + 1e6, { rx: null })));
  assert.equal(model.get("iface.rx_bps", "*1").v, null);
  model.apply(reader.read(payload(1, NOW_US + 2e6, { groups: [] })));
  assert.equal(model.get("iface.rx_bps", "*1"), null);
  assert.equal(model.latest.size, 0);
});

test("what Odoo refuses is told in its words, and only what may pass is asked again", () => {
  assert.deepEqual([refusalOf(odooError("UserError", "mtd is away.")).message, refusalOf(odooError("UserError", "x")).status], ["mtd is away.", 503]);
  assert.equal(refusalOf(odooError("AccessError", "no")).status, 403);
  assert.equal(refusalOf(new ConnectionLostError("x")).status, 0);
  assert.equal(refusalOf(new TypeError("x is undefined")).status, 500);
  assert.ok(patientMs(0, () => 0.5) < patientMs(3, () => 0.5));
  assert.equal(patientMs(50, () => 0.5), 60000);
});
