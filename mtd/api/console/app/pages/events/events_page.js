import { Component, onWillUnmount } from "@odoo/owl";
import { EventList, SEVERITIES } from "#shared/components/event_list/event_list.js";
import { useListener, useRedraw } from "#shared/components/hooks.js";
import { LastUpdate } from "#shared/components/last_update/last_update.js";
import { SearchField } from "#shared/components/search_field/search_field.js";
import { searchWords } from "#shared/lib/fleet.js";
import { EventLog } from "../../services/event_log.js";
import { formatHash } from "../../services/router.js";

/** What happened, on all routers. */
export class EventsPage extends Component {
  static template = "console.EventsPage";
  static components = { EventList, LastUpdate, SearchField };
  static props = {};

  setup() {
    const { live, http, clock, router } = this.env;
    this.severities = SEVERITIES;
    this.log = new EventLog(http, "events", 1000);
    this.href = (id) => formatHash(`devices/${encodeURIComponent(id)}`);
    useRedraw(this.log, "change");
    useRedraw(router, "route");
    useRedraw(clock, "tick");
    useListener(live, "events", (message) => this.take(message));
    useListener(live, "phase", (phase) => phase === "live" && this.read());
    this.look();
    onWillUnmount(() => {
      live.leave(this);
      this.log.close();
    });
    this.read();
  }

  look() {
    this.env.live.view(this, { events: "all", after: this.log.position });
  }

  async read() {
    await this.log.load();
    if (!this.log.closed) this.look();
  }

  take({ events, missed }) {
    this.log.add(events);
    if (missed) this.read();
  }

  get params() {
    const { severity = "", q = "" } = this.env.router.route.params;
    return { severity, query: q };
  }

  get events() {
    const { severity, query } = this.params;
    const words = searchWords(query);
    return this.log.events.filter((event) => {
      if (severity && event.severity !== severity) return false;
      const text = `${event.device} ${event.message} ${event.entity} ${event.type}`.toLowerCase();
      return words.every((word) => text.includes(word));
    });
  }

  get empty() {
    if (!this.log.loaded) return "Reading the events…";
    return this.log.events.length ? "None of the events read so far fits. Older ones may." : "Nothing has happened yet.";
  }

  onSearch(query) {
    this.keep({ query });
  }

  keep(change) {
    const { severity, query } = { ...this.params, ...change };
    this.env.router.replace(formatHash("events", { severity, q: query }));
  }
}
