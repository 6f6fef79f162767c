import { Component, onWillUnmount, useEffect } from "@odoo/owl";
import { EventList } from "#shared/components/event_list/event_list.js";
import { HealthBar } from "#shared/components/health_bar/health_bar.js";
import { useListener, useRedraw } from "#shared/components/hooks.js";
import { InterfaceTable } from "#shared/components/interface_table/interface_table.js";
import { KpiTile } from "#shared/components/kpi_tile/kpi_tile.js";
import { LastUpdate } from "#shared/components/last_update/last_update.js";
import { StatusBadge } from "#shared/components/status_badge/status_badge.js";
import { reasonOf } from "#shared/lib/fleet.js";
import { elapsed, plainText } from "#shared/lib/format.js";
import { isStale, staleAfterS } from "#shared/lib/freshness.js";
import { barStart, extendTo } from "#shared/lib/health.js";
import { interfaceRows } from "#shared/lib/interfaces.js";
import { kpis } from "#shared/lib/kpis.js";
import { DeviceCost } from "./device_cost.js";
import { DeviceFacts } from "./device_facts.js";
import { DeviceSource } from "./device_source.js";
import { TrafficPanel } from "#shared/components/traffic_panel/traffic_panel.js";

const HEALTH_US = 86400e6;

/** One router: how it is now, how it was, and what passes through it. */
export class DevicePage extends Component {
  static template = "console.DevicePage";
  static components = { DeviceCost, DeviceFacts, EventList, HealthBar, InterfaceTable, KpiTile, LastUpdate, StatusBadge, TrafficPanel };
  static props = { id: String };

  setup() {
    const { live, clock, store } = this.env;
    this.source = new DeviceSource(this.props.id, this.env);
    this.chosen = "";
    useRedraw(this.source, "change");
    useRedraw(store, "fleet");
    useRedraw(clock, "tick");
    useListener(live, "detail", (message) => this.source.take(message));
    useListener(live, "events", (message) => this.takeEvents(message));
    useListener(live, "phase", (phase) => phase === "live" && this.read());
    this.look();
    onWillUnmount(() => {
      live.leave(this);
      this.source.close();
    });
    this.choose = (id) => {
      this.chosen = id;
      this.render();
    };
    this.toggle = (id) => this.choose(this.chosen === id ? "" : id);
    this.sparks = (id) => this.source.sparks(id, this.nowUs);
    this.isStale = (tUs, group) => this.stale(tUs, group);
    useEffect((name) => {
      document.title = `${name} · mtd`;
    }, () => [this.name]);
    this.read();
  }

  look() {
    const { id } = this.props;
    this.env.live.view(this, { devices: [id], detail: id, events: "view", after: this.source.log.position });
  }

  async read() {
    await this.source.load();
    if (!this.source.log.closed) this.look();
  }

  takeEvents({ events, missed }) {
    this.source.addEvents(events);
    if (missed) this.read();
  }

  get nowUs() {
    return this.env.clock.nowUs();
  }

  /** What the list says of it, which is live, over what was read once. */
  get row() {
    const listed = this.env.store.devices.get(this.props.id);
    return { ...this.source.device, ...listed };
  }

  get name() {
    return plainText(this.row.name) || "Router";
  }

  get reason() {
    return reasonOf(this.row);
  }

  get since() {
    const { since_us: sinceUs } = this.row;
    return sinceUs ? `for ${elapsed(sinceUs, this.nowUs) || "a moment"}` : "";
  }

  get facts() {
    const { board, version, identity, host, name } = this.row;
    return [
      board && { label: "Model", text: board },
      version && { label: "RouterOS", text: version },
      identity && identity !== name && { label: "Identity", text: identity },
      host && { label: "Address", text: host },
    ]
      .filter(Boolean)
      .map(({ label, text }) => ({ label, text: plainText(text) }));
  }

  get lastUs() {
    return Math.max(this.source.model.lastUs ?? 0, this.row.last_seen_us ?? 0) || null;
  }

  stale(tUs, group) {
    const { live, store } = this.env;
    if (live.phase !== "live") return true;
    return isStale(tUs, this.nowUs, staleAfterS(group, this.row.intervals_s, store.staleAfterS));
  }

  get tiles() {
    const values = this.env.store.values.get(this.props.id);
    return kpis(this.source.model, values).map((tile) => ({ ...tile, stale: Boolean(tile.tUs) && this.stale(tile.tUs, tile.group) }));
  }

  get interfaces() {
    return interfaceRows(this.source.interfaces, this.source.model);
  }

  get health() {
    const nowUs = this.nowUs;
    const { live } = this.env;
    const told = this.source.health;
    const segments = live.phase === "live" && this.row.status ? extendTo(told, nowUs, this.row) : told;
    return { segments, fromUs: barStart(segments, nowUs, HEALTH_US), toUs: nowUs };
  }

  get missing() {
    const { store } = this.env;
    return this.source.error?.status === 404 || (store.complete && !store.devices.has(this.props.id));
  }
}
