import { Emitter } from "#shared/lib/emitter.js";

/** Say to the other pages of this browser that who one is, or which tenant one looks at, changed. */
const CHANNEL = "mtd.who";

/** Go to the login page; it comes back to the same place. */
export function toLogin(window) {
  window.location.assign(`login${window.location.hash}`);
}

/** Who looks, and for which tenant. Emits `who` when that is known. */
export class Who extends Emitter {
  constructor(http, window) {
    super();
    this._http = http;
    this._window = window;
    this._loading = false;
    this._checking = false;
    this._leaves = false;
    this.me = null;
    this._others = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel(CHANNEL);
    // What they show of now on belongs to somebody else.
    if (this._others) this._others.onmessage = () => window.location.reload();
  }

  /** Ask who one is. Who is nobody (any more) is taken to the login by the client. */
  async load() {
    if (this._loading || this._leaves) return;
    this._loading = true;
    try {
      this.me = await this._http.get("me");
      this.emit("who", this.me);
    } catch {
      // The daemon is away, or the login page comes.
    } finally {
      this._loading = false;
    }
  }

  /** Go to the login if the daemon doesn't know (any more) who looks. One that is away, or starts, knows nobody yet. */
  async check() {
    if (this._checking || this._leaves) return;
    this._checking = true;
    try {
      const { known, starting } = await this._http.get("login");
      if (!known && !starting) toLogin(this._window);
    } catch {
      // It is away: the channel tries again, and so does this.
    } finally {
      this._checking = false;
    }
  }

  /** Look at another tenant: nothing of the one before stays on the page. */
  async choose(tenant) {
    await this._send("tenant", { tenant });
    this._tellOthers();
    this._window.location.hash = "#/devices"; // a router of the other tenant isn't here
    this._window.location.reload();
  }

  async logOut() {
    this._leaves = true; // the channel breaks now, and that is as it should be
    try {
      const { url } = await this._send("logout", {});
      this._tellOthers();
      this._window.location.assign(url || "login?out=1");
    } catch (error) {
      this._leaves = false;
      throw error;
    }
  }

  /** Send; once more if the daemon started again meanwhile, which wants another token then. */
  async _send(path, body) {
    try {
      return await this._http.post(path, body, this.me.csrf);
    } catch (error) {
      if (error.status !== 403) throw error;
      this.me = await this._http.get("me");
      return this._http.post(path, body, this.me.csrf);
    }
  }

  _tellOthers() {
    this._others?.postMessage("changed");
  }
}
