import { Emitter } from "#shared/lib/emitter.js";

const PAGES = new Set(["devices", "events", "logs", "flows", "drops", "mtd"]);

/** Take an address apart: "#/devices/ID?q=a" is {page: "device", id: "ID", params: {q: "a"}}. */
export function parseHash(hash) {
  const [path, query = ""] = hash.replace(/^#?\/?/, "").split("?");
  const [page, id] = path.split("/").map(decoded);
  const params = Object.fromEntries(new URLSearchParams(query));
  if (page === "devices" && id) return { page: "device", id, params };
  return { page: PAGES.has(page) ? page : "devices", id: null, params };
}

// Who types an address may type anything: what can't be decoded names nothing.
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return "";
  }
}

/** Put an address together; parameters that are empty are left out. */
export function formatHash(path, params = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) if (value) query.set(name, value);
  const text = query.toString();
  return `#/${path}${text ? `?${text}` : ""}`;
}

/** Where the page is, kept in the part of the address after the #. Emits `route`. */
export class Router extends Emitter {
  constructor(window) {
    super();
    this._window = window;
    this.route = parseHash(window.location.hash);
    // Going back from a router leads to the list as it was left.
    this.listHash = this.route.page === "devices" ? window.location.hash || "#/devices" : "#/devices";
    window.addEventListener("hashchange", () => this._changed());
  }

  go(hash) {
    this._window.location.hash = hash;
  }

  /** Change the address without a new step in the browser's history. */
  replace(hash) {
    if (this._window.location.hash === hash) return;
    this._window.history.replaceState(null, "", hash);
    this._changed();
  }

  _changed() {
    this.route = parseHash(this._window.location.hash);
    if (this.route.page === "devices") this.listHash = this._window.location.hash || "#/devices";
    this.emit("route", this.route);
  }
}
