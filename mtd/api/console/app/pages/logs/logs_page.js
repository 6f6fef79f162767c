import { Component, onWillUnmount } from "@odoo/owl";
import { useDocument, useListener, useRedraw } from "#shared/components/hooks.js";
import { LogTail } from "#shared/components/log_tail/log_tail.js";
import { SearchField } from "#shared/components/search_field/search_field.js";
import { LogLines } from "../../services/log_lines.js";
import { formatHash } from "../../services/router.js";

const SEVERITIES = [
  { key: "3", label: "Errors", style: "warning" },
  { key: "4", label: "And warnings", style: "warning" },
  { key: "6", label: "All but debug", style: "info" },
];
const TYPING_MS = 300;

/** What routers wrote in their logs and sent over syslog, as it comes. */
export class LogsPage extends Component {
  static template = "console.LogsPage";
  static components = { LogTail, SearchField };
  static props = {};

  setup() {
    const { live, http, clock, router } = this.env;
    this.severities = SEVERITIES;
    this.log = new LogLines(http);
    this.paused = false;
    this.query = this.params.query;
    this.typing = null;
    this.asked = null;
    this.href = (id) => formatHash(`devices/${encodeURIComponent(id)}`);
    useRedraw(this.log, "change");
    useRedraw(clock, "tick");
    useListener(router, "route", () => {
      if (this.typing === null) this.query = this.params.query;
      this.ask();
    });
    useListener(live, "phase", () => this.follow());
    useDocument("visibilitychange", () => this.follow());
    onWillUnmount(() => {
      clearTimeout(this.typing);
      this.log.close();
    });
    this.ask();
  }

  get params() {
    const { severity = "", q = "", event = "" } = this.env.router.route.params;
    return { severity, query: q, event };
  }

  ask() {
    const { severity, query, event } = this.params;
    const wanted = { severity: severity || null, contains: query || null, event: event || null };
    const asked = JSON.stringify(wanted);
    if (asked === this.asked) return;
    this.asked = asked;
    this.log.want(wanted);
    this.render();
  }

  get empty() {
    if (!this.log.loaded) return "Reading the lines…";
    const { severity, query, event } = this.params;
    if (severity || query || event) return "No line of the last day fits.";
    return "No line has come in the last day. Routers send their logs if they are told to: see docs/syslog.md.";
  }

  keep(change) {
    const { severity, query, event } = { ...this.params, ...change };
    this.env.router.replace(formatHash("logs", { severity, q: query, event }));
  }

  onSearch(query) {
    clearTimeout(this.typing);
    this.query = query;
    this.typing = setTimeout(() => {
      this.typing = null;
      this.keep({ query: this.query });
    }, TYPING_MS);
  }

  // Nobody looks at a page that is hidden, or wants to see it move.
  follow() {
    this.log.pause(this.paused || document.hidden || this.env.live.phase !== "live");
  }

  togglePause() {
    this.paused = !this.paused;
    this.follow();
    this.render();
  }
}
