import { Emitter } from "#shared/lib/emitter.js";
import { backoffMs } from "#shared/lib/backoff.js";

const VIEW_DEBOUNCE_MS = 120;
// The daemon sends ranks every five seconds: so long without a word means that the way is broken.
const SILENCE_MS = 20000;
const HANDSHAKE_MS = 10000;
const NOTHING = { devices: [], detail: null, rank: true, events: "none", after: null, self: false };

/**
 * The one channel over which all moves that moves. It calls again by itself, tells what is in view
 * anew, and emits each message by its type, `phase` when the connection comes or goes, and `break` each
 * time that it is lost or can't be had.
 */
export class LiveChannel extends Emitter {
  constructor({ url, clock, WebSocket = globalThis.WebSocket }) {
    super();
    this._url = String(url).replace(/^http/, "ws").replace(/#.*$/, "");
    this._clock = clock;
    this._WebSocket = WebSocket;
    this._view = NOTHING;
    this._owner = null;
    this._look = 0; // counts the pages: each knows nothing yet, even if it asks for what the last one asked
    this._sent = "";
    this._socket = null;
    this._timers = { again: null, view: null, silence: null };
    this._attempt = 0;
    this.phase = "connecting"; // "connecting" | "live" | "lost"
    this.lostAtUs = null;
    this.lastUs = null; // of the newest message
    this.breaks = 0; // how often the connection was lost, or not to be had
    this.closed = false;
    // After a sleep nobody knows what was missed, or whether the other end still holds the line.
    this._awake = clock.on("jump", () => this._drop());
  }

  open() {
    if (this.closed || this._socket) return;
    const socket = new this._WebSocket(this._url);
    this._socket = socket;
    socket.onmessage = ({ data }) => socket === this._socket && this._receive(JSON.parse(data));
    socket.onclose = () => this._lost(socket);
    socket.onopen = () => {
      if (socket !== this._socket) return;
      this._sent = "";
      this._send();
      this._watch();
    };
    this._watch(HANDSHAKE_MS);
  }

  /** Say what is in view of a page. It replaces what any page asked for before. */
  view(owner, wanted) {
    if (owner !== this._owner) this._look += 1;
    this._owner = owner;
    this._view = { ...NOTHING, ...wanted };
    this._sendSoon();
  }

  /** The page is left. The next one may have spoken already: then there is nothing to do. */
  leave(owner) {
    if (this._owner !== owner) return;
    this._owner = null;
    this._view = NOTHING;
    this._sendSoon();
  }

  _sendSoon() {
    this._timers.view ??= setTimeout(() => {
      this._timers.view = null;
      this._send();
    }, VIEW_DEBOUNCE_MS);
  }

  /** Try at once instead of waiting for the next attempt, or for an answer to this one. */
  retryNow() {
    if (this.phase === "live") return;
    clearTimeout(this._timers.again);
    this._timers.again = null;
    const socket = this._socket;
    this._socket = null;
    if (socket) this.breaks += 1;
    socket?.close();
    this.open();
  }

  close() {
    this.closed = true;
    this._awake();
    for (const timer of Object.values(this._timers)) clearTimeout(timer);
    this._socket?.close();
  }

  _send() {
    const text = JSON.stringify({ op: "view", look: this._look, ...this._view });
    if (this._socket?.readyState !== 1 || text === this._sent) return;
    this._socket.send(text);
    this._sent = text;
  }

  _receive(message) {
    if (typeof message.now_us === "number") this._clock.sync(message.now_us);
    this.lastUs = message.now_us ?? this.lastUs;
    this._watch();
    if (message.type === "hello") {
      this._attempt = 0;
      this._setPhase("live");
    }
    this.emit(message.type, message);
  }

  _watch(ms = SILENCE_MS) {
    clearTimeout(this._timers.silence);
    this._timers.silence = setTimeout(() => this._drop(), ms);
  }

  // A peer that is frozen doesn't answer a farewell either: the socket counts as lost at once.
  _drop() {
    const socket = this._socket;
    if (!socket) return;
    this._lost(socket);
    socket.close();
  }

  _lost(socket) {
    if (socket !== this._socket) return;
    clearTimeout(this._timers.silence);
    this._socket = null;
    if (this.closed) return;
    this.breaks += 1;
    if (this.phase === "live") this.lostAtUs = this.lastUs ?? this._clock.nowUs();
    this._setPhase("lost");
    this.emit("break");
    this._timers.again = setTimeout(() => {
      this._timers.again = null;
      this.open();
    }, backoffMs(this._attempt++));
  }

  _setPhase(phase) {
    if (phase === this.phase) return;
    this.phase = phase;
    this.emit("phase", phase);
  }
}
