import { Component, onWillUnmount } from "@odoo/owl";
import { useListener, useRedraw } from "#shared/components/hooks.js";
import { LastUpdate } from "#shared/components/last_update/last_update.js";
import { SortHeader } from "#shared/components/sort_header/sort_header.js";
import { byUnit, bytesPerSecond, count, dateTime, duration, known, percent, raw } from "#shared/lib/format.js";
import { isStale } from "#shared/lib/freshness.js";
import { sortedBy } from "#shared/lib/sorting.js";
import { formatHash } from "../../services/router.js";

const STALE_S = 10;
const FIRST = 50;
const STATES = { ok: "OK", warn: "Look", bad: "Bad" };

const rate = (value) => (known(value) ? value.toFixed(value < 10 ? 1 : 0) : "–");
const ms = (value) => (known(value) ? `${value.toFixed(value < 10 ? 1 : 0)} ms` : "–");

const COST = [
  { key: "name", label: "Router" },
  { key: "router_cpu_pct", label: "CPU", format: percent, hint: "Load of the router itself, whoever causes it" },
  { key: "poll_ms", label: "Poll takes", format: ms, hint: "Average over the last minute" },
  { key: "poll_max_ms", label: "At most", format: ms, hint: "The slowest poll of the last minute" },
  { key: "commands_per_s", label: "Commands/s", format: rate },
  { key: "received_bytes_per_s", label: "Received", format: bytesPerSecond },
  { key: "sent_bytes_per_s", label: "Sent", format: bytesPerSecond },
  { key: "sessions_opened", label: "Sessions", format: count, hint: "Connections opened since mtd started" },
  { key: "logins_per_hour", label: "Logins/h", format: rate },
  { key: "polls_skipped", label: "Skipped", format: count, hint: "Polls left out because the one before took too long" },
  { key: "polls_failed", label: "Failed", format: count },
].map((column) => ({ ...column, right: column.key !== "name" }));

const COLLECTOR_STATES = {
  online: { text: "Online", state: "ok" },
  offline: { text: "Offline", state: "bad" },
  left: { text: "Stopped", state: "warn" },
  never: { text: "Never polled", state: "warn" },
};
const CLOCK_WARN_S = 2;

/**
 * mtd's own state: whether it does its work, what it drops, and what it costs each router. Of a process that works for
 * many tenants, its figures tell of all of them: others than super-admins are told of their own routers alone.
 */
export class SelfPage extends Component {
  static template = "console.SelfPage";
  static components = { LastUpdate, SortHeader };
  static props = {};

  raw = raw;

  setup() {
    const { live, clock } = this.env;
    this.columns = COST;
    this.self = null;
    this.error = null;
    this.order = { sort: "poll_ms", descending: true };
    this.all = false;
    this.stop = new AbortController();
    useListener(live, "self", (message) => this.take(message));
    useListener(live, "phase", (phase) => phase === "live" && this.load());
    useRedraw(live, "phase");
    useRedraw(clock, "tick");
    live.view(this, { self: true });
    onWillUnmount(() => {
      live.leave(this);
      this.stop.abort();
    });
    this.load();
  }

  async load() {
    try {
      this.take(await this.env.http.get("self", {}, this.stop.signal));
    } catch (error) {
      if (this.stop.signal.aborted) return;
      this.error = error;
      this.render();
    }
  }

  take(self) {
    // A daemon that has just started knows nothing of itself yet. Figures are for those who run it.
    if (!self.routers) return;
    this.self = self;
    this.error = null;
    this.render();
  }

  get stale() {
    const { live, clock } = this.env;
    return live.phase !== "live" || isStale(this.self?.now_us, clock.nowUs(), STALE_S);
  }

  get verdict() {
    const bad = this.self.figures.filter(({ state }) => state === "bad").length;
    const warn = this.self.figures.filter(({ state }) => state === "warn").length;
    if (!this.self.ready) return { state: "bad", text: "Not ready" };
    if (bad) return { state: "bad", text: `${bad} ${bad === 1 ? "figure is" : "figures are"} bad` };
    if (warn) return { state: "warn", text: `${warn} ${warn === 1 ? "figure needs" : "figures need"} a look` };
    return { state: "ok", text: "All is well" };
  }

  get groups() {
    const groups = new Map();
    for (const figure of this.self.figures) {
      if (!groups.has(figure.group)) groups.set(figure.group, []);
      groups.get(figure.group).push(figure);
    }
    return [...groups].map(([name, figures]) => ({ name, figures }));
  }

  get running() {
    const { started_us: startedUs, now_us: nowUs } = this.self;
    return `running for ${duration((nowUs - startedUs) / 1e6)}, since ${dateTime(startedUs)}`;
  }

  get cost() {
    const { sort, descending } = this.order;
    const sorted = sortedBy(this.self.routers ?? [], (router) => router[sort], descending, (router) => router.name);
    return { rows: this.all ? sorted : sorted.slice(0, FIRST), total: sorted.length };
  }

  get collectors() {
    return (this.self.collectors ?? []).map((one) => ({
      ...one,
      shown: COLLECTOR_STATES[one.state] ?? { text: one.state, state: "warn" },
      clock: known(one.clock_ahead_s) ? `${one.clock_ahead_s < 0 ? "−" : "+"}${Math.abs(one.clock_ahead_s).toFixed(1)} s` : "–",
      clockOff: known(one.clock_ahead_s) && Math.abs(one.clock_ahead_s) > CLOCK_WARN_S,
      waits: known(one.buffer_events) ? count(one.buffer_events) : "–",
      pushed: known(one.last_push_us) ? dateTime(one.last_push_us) : "–",
      since: known(one.since_us) ? dateTime(one.since_us) : "",
    }));
  }

  text(figure) {
    return byUnit(figure.value, figure.unit);
  }

  stateText(state) {
    return STATES[state] ?? "";
  }

  href(id) {
    return formatHash(`devices/${encodeURIComponent(id)}`);
  }

  sortBy(sort) {
    const descending = this.order.sort === sort ? !this.order.descending : sort !== "name";
    this.order = { sort, descending };
    this.render();
  }

  showAll() {
    this.all = true;
    this.render();
  }
}
