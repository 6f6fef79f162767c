/** @odoo-module **/
import { Clock } from "../lib/clock.js";
import { Emitter } from "../lib/emitter.js";
import { DeviceFeed } from "./device_feed.js";

export const LIVE = "mikrotik_monitoring.live";
export const DIAGNOSTIC = "mikrotik_monitoring.diagnostic";
const HIDDEN_MS = 60000;
const LINGER_MS = 3000; // from one page of a form to another
const CALL = "/web/dataset/call_kw/mikrotik.device/live_unwatch";

/**
 * The live view of this browser tab: one feed for each router that is looked at, however many widgets show it. A tab
 * that is hidden for a minute lets go of all of them, and takes them up again when it is seen.
 */
export class LiveHub extends Emitter {
  constructor({ orm, bus, loadChart, page = document, clock = new Clock(), steadyMs = undefined }) {
    super();
    this.clock = clock;
    this.loadChart = loadChart;
    this.viewer = newViewer();
    this._orm = orm;
    this._steadyMs = steadyMs;
    this._rests = false;
    this._bus = bus;
    this._page = page;
    this._feeds = new Map(); // id to {feed, users, timer}
    this._channels = new Map(); // name to how many listen
    this._waiting = new Map(); // id to the newest payload that came in one go
    this._hidden = null;
    bus.subscribe(LIVE, (payload) => this._receive(payload));
    bus.subscribe(DIAGNOSTIC, (payload) => this.emit("diagnostic", payload));
    for (const type of ["connect", "reconnect"]) bus.addEventListener(type, () => this._beat());
    page.addEventListener("visibilitychange", () => this._see());
    page.defaultView.addEventListener("pagehide", () => this._leave());
    page.defaultView.addEventListener("pageshow", ({ persisted }) => persisted && this._takeUp());
    clock.on("tick", () => this._each((feed) => feed.check()));
    clock.on("jump", () => this._beat());
  }

  /** Look at a router; whoever looks lets go of it by `release`. */
  watch(id) {
    let entry = this._feeds.get(id);
    if (!entry) {
      const { clock, viewer, _steadyMs: steadyMs } = this;
      entry = { feed: new DeviceFeed(id, { orm: this._orm, bus: this._bus, clock, viewer, steadyMs }), users: 0, timer: null };
      this._feeds.set(id, entry);
    }
    clearTimeout(entry.timer);
    entry.users += 1;
    this.clock.start();
    if (!this._rests) entry.feed.open();
    return entry.feed;
  }

  release(id) {
    const entry = this._feeds.get(id);
    entry.users -= 1;
    if (!entry.users) entry.timer = setTimeout(() => this._drop(id), LINGER_MS);
  }

  /** Listen to a channel of the bus until the function that is returned is called. */
  listen(channel) {
    const listening = this._channels.get(channel) ?? 0;
    this._channels.set(channel, listening + 1);
    if (!listening) this._bus.addChannel(channel);
    return () => {
      const left = this._channels.get(channel) - 1;
      this._channels.set(channel, left);
      if (left) return;
      this._channels.delete(channel);
      this._bus.deleteChannel(channel);
    };
  }

  _drop(id) {
    this._feeds.get(id).feed.close();
    this._feeds.delete(id);
    if (!this._feeds.size) this.clock.stop();
  }

  // What the bus kept comes at once, the oldest first. Each message is complete: only the newest is looked at.
  _receive(payload) {
    if (!this._waiting.size) queueMicrotask(() => this._deliver());
    this._waiting.set(payload.device, payload);
  }

  _deliver() {
    const waiting = [...this._waiting];
    this._waiting.clear();
    for (const [id, payload] of waiting) this._feeds.get(id)?.feed.take(payload);
  }

  _see() {
    clearTimeout(this._hidden);
    if (this._page.hidden) this._hidden = setTimeout(() => this._rest(), HIDDEN_MS);
    else this._takeUp();
  }

  _rest() {
    this._rests = true;
    this._each((feed) => feed.rest());
  }

  _takeUp() {
    this._rests = false;
    this._each((feed) => feed.open());
  }

  // The page goes: nobody waits for an answer any more.
  _leave() {
    const { navigator } = this._page.defaultView;
    this._each((feed) => {
      if (!feed.active) return;
      const params = { model: "mikrotik.device", method: "live_unwatch", args: [[feed.id], this.viewer], kwargs: {} };
      const body = new Blob([JSON.stringify({ jsonrpc: "2.0", method: "call", params })], { type: "application/json" });
      navigator.sendBeacon?.(CALL, body);
    });
  }

  _beat() {
    this._each((feed) => feed.beat());
  }

  _each(act) {
    for (const { feed } of this._feeds.values()) act(feed);
  }
}

// Not `randomUUID`: browsers have that only where the page came over TLS.
function newViewer() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
