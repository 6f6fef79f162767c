import { Component, onWillUnmount } from "@odoo/owl";
import { DeviceTable } from "#shared/components/device_table/device_table.js";
import { useDocument, useListener, useRedraw } from "#shared/components/hooks.js";
import { LastUpdate } from "#shared/components/last_update/last_update.js";
import { SearchField } from "#shared/components/search_field/search_field.js";
import { StatusBadge } from "#shared/components/status_badge/status_badge.js";
import { Emitter } from "#shared/lib/emitter.js";
import { STATUSES, arrange, countByStatus, isLiveColumn } from "#shared/lib/fleet.js";
import { isStale } from "#shared/lib/freshness.js";
import { formatHash } from "../../services/router.js";

/** All routers: how many are well, which aren't, and what moves. */
export class DevicesPage extends Component {
  static template = "console.DevicesPage";
  static components = { DeviceTable, LastUpdate, SearchField, StatusBadge };
  static props = {};

  setup() {
    const { store, live, clock, router } = this.env;
    this.statuses = STATUSES;
    this.arranged = null;
    useListener(store, "fleet", () => this.forget());
    useListener(store, "rank", () => isLiveColumn(this.params.sort) && this.forget());
    useListener(router, "route", () => this.forget());
    useRedraw(store, "fleet", "rank");
    useRedraw(router, "route");
    useRedraw(live, "phase");
    useRedraw(clock, "tick");
    onWillUnmount(() => live.leave(this));
    // The list is what this page is for: keys reach it from anywhere.
    this.keys = new Emitter();
    useDocument("keydown", (event) => this.keys.emit("key", event));
    this.values = (id) => store.values.get(id);
    this.trend = (id) => store.trend(id);
    this.href = (id) => formatHash(`devices/${encodeURIComponent(id)}`);
    this.open = (id) => router.go(this.href(id));
    this.onView = (ids) => live.view(this, { devices: ids, rank: true });
  }

  // Sorting a thousand rows at each tick would be waste: the order holds until something says otherwise.
  forget() {
    this.arranged = null;
  }

  get params() {
    const { status = "", q = "", sort = "status", dir = "asc" } = this.env.router.route.params;
    return { status, query: q, sort, descending: dir === "desc" };
  }

  get rows() {
    const { store } = this.env;
    this.arranged ??= arrange([...store.devices.values()], {
      ...this.params,
      rank: store.rank,
      seenUs: (row) => store.seenUs(row),
    });
    return this.arranged;
  }

  get counts() {
    return countByStatus(this.env.store.devices.values());
  }

  get total() {
    return this.env.store.devices.size;
  }

  get stale() {
    const { live, clock, store } = this.env;
    // Ranks come every five seconds, whatever the routers do.
    return live.phase !== "live" || isStale(live.lastUs, clock.nowUs(), Math.max(10, store.staleAfterS));
  }

  keep(change) {
    // Another order or selection is looked at from its beginning.
    this.env.list.place = { scrollTop: 0, cursor: null };
    this.arranged = null;
    const { status, query, sort, descending } = { ...this.params, ...change };
    const dir = descending ? "desc" : "";
    this.env.router.replace(formatHash("devices", { status, q: query, sort: sort === "status" && !dir ? "" : sort, dir }));
  }

  toggle(status) {
    this.keep({ status: this.params.status === status ? "" : status });
  }

  onSort(sort, descending) {
    this.keep({ sort, descending });
  }

  onSearch(query) {
    this.keep({ query });
  }

  clear() {
    this.keep({ status: "", query: "" });
  }
}
