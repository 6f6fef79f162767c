/** @odoo-module **/
import { _t } from "@web/core/l10n/translation";
import { mergeEvents } from "../lib/events.js";
import { LiveValues, SPARKS } from "../lib/live_values.js";
import { Reading } from "../lib/reading.js";
import { MessageReader } from "./message_reader.js";
import { OrmReader, patientMs } from "./orm_reader.js";

const VERSION = 1; // of messages
const HEARTBEAT_MS = 20000;
const SILENCE_MS = 5000;
const FIRST_MS = 10000;
// The bridge tells each half minute that it lives.
const BRIDGE_LIVES_S = 90;
// What is older when it comes was kept by the bus while nobody listened.
const LATE_US = 15e6;
const EVENTS_KEPT = 100;

/**
 * One router as long as somebody looks at it: its values as messages bring them, and the heartbeat that keeps them
 * coming. Emits `change`, `update`, and `phase` when messages begin to come or stop.
 */
export class DeviceFeed extends LiveValues {
  constructor(id, { orm, bus, clock, viewer, steadyMs = () => performance.now() }) {
    super();
    this.id = id;
    this.waitMs = patientMs;
    this._bus = bus;
    this._clock = clock;
    this._viewer = viewer;
    this._steadyMs = steadyMs;
    this._reader = new OrmReader(orm, id);
    this._messages = new MessageReader();
    this._readings = {
      watch: new Reading(() => this._watch(), () => this._watched(), patientMs),
      sparks: new Reading((signal) => this._readSparks(signal), () => this.emit("change"), patientMs),
    };
    this._timer = null;
    this._channel = null;
    this._awaitedMs = 0; // since when a message is waited for
    this.phase = "connecting"; // "connecting" | "live" | "lost"
    this.lostAtUs = null;
    this.lastNowUs = null; // of the newest message
    this.late = 0; // messages that weren't of now when they came
    this._lateUs = null;
    this.active = false;
    this.outdated = false; // the bridge speaks another version
    this.bridgeSeenS = undefined; // null: no bridge was ever heard of
    this.kind = "plain";
    this.row = {};
    this.summary = null;
    this.interfaces = [];
    this.events = [];
    this.lines = [];
    this.more = 0;
    this.connected = true; // whether the bridge reaches mtd
  }

  open() {
    if (this.active) return;
    this.active = true;
    this._awaitedMs = this._steadyMs();
    this._setPhase("connecting");
    this._readings.watch.now();
  }

  /** Let go: nobody looks. What is known stays. */
  rest() {
    if (!this.active) return;
    this.active = false;
    clearTimeout(this._timer);
    this._listen(null);
    this._setPhase("connecting");
    // If it fails, mtd's bridge lets go by itself when no heartbeat comes.
    this._reader.ask((orm, id) => orm.call("mikrotik.device", "live_unwatch", [[id], this._viewer])).catch(() => {});
  }

  close() {
    this.rest();
    for (const reading of Object.values(this._readings)) reading.close();
  }

  /** Ask at once instead of at the next heartbeat. */
  beat() {
    if (this.active) this._readings.watch.now();
  }

  history(params, signal) {
    return this._reader.get("history", params, signal);
  }

  get error() {
    return this._readings.watch.error ?? this._readings.sparks.error;
  }

  async _watch() {
    const answer = await this._reader.ask((orm, id) => orm.call("mikrotik.device", "live_watch", [[id], this._viewer]));
    if (!this.active) return;
    this.bridgeSeenS = answer.bridge_seen_s;
    const decided = this._channel === answer.channel && this.kind !== answer.kind;
    this.kind = answer.kind;
    this._listen(answer.channel);
    // What a name stands for was decided when it was subscribed to: rights were changed since.
    if (decided) this._bus.forceUpdateChannels();
  }

  _watched() {
    clearTimeout(this._timer);
    const { error } = this._readings.watch;
    // Who may not see it any more is told nothing more either.
    if (error?.status >= 400 && error.status < 500) this._listen(null);
    else if (!error && this.active) this._timer = setTimeout(() => this.beat(), HEARTBEAT_MS);
    this.check();
    this.emit("change");
  }

  _listen(channel) {
    if (channel === this._channel) return;
    if (this._channel) this._bus.deleteChannel(this._channel);
    this._channel = channel;
    if (channel) this._bus.addChannel(channel);
  }

  /** Take a message. Returns whether it is of now. */
  take(payload) {
    if (!this.active) return false;
    this.outdated = payload.v !== VERSION;
    if (this.outdated) return false; // the silence is told, and why
    if (this._isLate(payload.now_us)) return false;
    this._clock.sync(payload.now_us);
    this.lastNowUs = payload.now_us;
    this._awaitedMs = this._steadyMs();
    this._takeState(payload);
    this.apply(this._messages.read(payload));
    this._setPhase("live");
    this.emit("change");
    return true;
  }

  // Two in a row that go on from each other are no leftovers: the sender's clock was set.
  _isLate(nowUs) {
    const behind = this.lastNowUs !== null && nowUs < this._clock.nowUs() - LATE_US;
    const late = behind && !(this._lateUs !== null && nowUs > this._lateUs);
    this._lateUs = behind ? nowUs : null;
    if (late) this.late += 1;
    return late;
  }

  _takeState(payload) {
    const { status, reason, since_us, last_seen_us, name, version, board, identity } = payload;
    this.row = { status, reason, since_us, last_seen_us, name, version, board, identity };
    this.summary = payload.summary ?? null;
    this.interfaces = (payload.interfaces ?? []).map(interfaceOf);
    this.events = mergeEvents(this.events, payload.events ?? []).slice(0, EVENTS_KEPT);
    this.lines = newestFirst(payload.lines ?? []);
    this.more = payload.more ?? 0;
    this.connected = payload.connected ?? true;
    // A bridge that never reached mtd knows nothing of the router: that isn't a router without ports.
    this.device = this.connected || this.interfaces.length ? { intervals_s: payload.intervals_s ?? {} } : null;
  }

  /** See whether messages still come: called each second. */
  check() {
    if (!this.active) return;
    const patience = this.phase === "connecting" ? FIRST_MS : SILENCE_MS;
    const refused = this.phase !== "live" && Boolean(this._readings.watch.error);
    if (refused || this._steadyMs() - this._awaitedMs > patience) this._setPhase("lost");
  }

  /** Why nothing comes, in words for people; empty while all is well. */
  get trouble() {
    if (this.phase === "live") return this.connected ? "" : _t("The bridge can't reach mtd at the moment.");
    if (this.phase !== "lost") return "";
    if (this.outdated) return _t("This page and the bridge are of different versions: reload the page.");
    const { error } = this._readings.watch;
    if (error) return [error.message, error.hint].filter(Boolean).join(" ");
    if (this.bridgeSeenS === null) return _t("No bridge has ever connected: start mtd_bridge for this database.");
    if (this.bridgeSeenS > BRIDGE_LIVES_S) return _t("The bridge doesn't run: start mtd_bridge for this database.");
    return _t("The bridge sends nothing at the moment.");
  }

  _setPhase(phase) {
    if (phase === this.phase) return;
    if (this.phase === "live") this.lostAtUs = this.lastNowUs;
    this.phase = phase;
    this.emit("phase", phase);
    if (phase === "live") this._readings.sparks.now();
    this.emit("change");
  }

  async _readSparks(signal) {
    const { series } = await this.history(SPARKS, signal);
    this.fillSparks(series);
  }
}

function interfaceOf([id, name, comment, type, tier, physical, why]) {
  return { id, name, label: name, comment, type, tier, physical, why };
}

// Lines have no numbers of their own: two that came at once are told apart by their place.
function newestFirst(lines) {
  return lines.map((line, at) => ({ ...line, position: `${line.t_us}-${at}` })).reverse();
}
