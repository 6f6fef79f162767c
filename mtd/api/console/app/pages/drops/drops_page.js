import { Component, onWillUnmount } from "@odoo/owl";
import { useDocument, useListener, useRedraw } from "#shared/components/hooks.js";
import { LastUpdate } from "#shared/components/last_update/last_update.js";
import { count, dateTime, duration, known } from "#shared/lib/format.js";
import { isStale } from "#shared/lib/freshness.js";
import { PageReading } from "#shared/lib/page_reading.js";
import { Recent } from "../../services/recent.js";
import { ExporterTable } from "./exporter_table.js";
import { SenderTables } from "./sender_tables.js";

const AGAIN_MS = 5000;
const STALE_S = 20;
const RECENT_S = 60;

/** All that routers push, and where it is lost: before mtd, in it, and by whose fault. */
export class DropsPage extends Component {
  static template = "console.DropsPage";
  static components = { ExporterTable, LastUpdate, SenderTables };
  static props = {};

  setup() {
    const { http, live, clock } = this.env;
    this.reading = new PageReading(http, "drops");
    this.recent = new Recent(RECENT_S);
    // Before it is drawn: what came of late is told beside it.
    useListener(this.reading, "change", () => this.take());
    useRedraw(this.reading, "change");
    useRedraw(clock, "tick");
    useListener(live, "phase", () => this.look());
    useDocument("visibilitychange", () => this.look());
    onWillUnmount(() => this.reading.close());
    this.look();
    this.reading.want({}, AGAIN_MS);
  }

  // Nobody looks at a page that is hidden.
  look() {
    this.reading.pause(document.hidden || this.env.live.phase !== "live");
  }

  get answer() {
    return this.reading.answer;
  }

  get stale() {
    const { live, clock } = this.env;
    return live.phase !== "live" || isStale(this.answer?.now_us, clock.nowUs(), STALE_S);
  }

  take() {
    const { answer } = this;
    if (!answer || this.reading.error) return;
    const totals = new Map();
    for (const { name: listener, figures } of answer.listeners) {
      for (const { name, value, parts } of figures ?? []) {
        totals.set(`${listener}/${name}`, value);
        for (const part of parts) totals.set(`${listener}/${name}/${part.name}`, part.value);
      }
    }
    this.recent.push(answer.now_us, totals, answer.since_us);
  }

  get listeners() {
    return this.answer.listeners.filter(({ figures }) => figures).map(({ name, label, figures }) => ({ name, label, rows: figures.flatMap((figure) => this.rowsOf(name, figure)) }));
  }

  rowsOf(listener, { name, label, kind, value, help, parts }) {
    const row = (id, text, total, part) => {
      const grown = this.recent.grown(`${listener}/${id}`);
      return { id, label: text, help: part ? "" : help, kind, part, value: total, text: count(total), late: known(grown) ? count(grown) : "–", look: kind === "lost" && grown > 0 };
    };
    return [row(name, label, value, false), ...parts.map((part) => row(`${name}/${part.name}`, wordsOf(part.name), part.value, true))];
  }

  /** What the last column is of: a minute, or as long as this page is open. */
  get lately() {
    const { seconds } = this.recent;
    if (!seconds) return "Lately";
    return seconds >= RECENT_S ? "Last minute" : `Last ${duration(seconds)}`;
  }

  get running() {
    const { since_us: sinceUs, collector_id: collector } = this.answer;
    return `Since mtd started, ${dateTime(sinceUs)}${collector ? `, at ${collector}` : ""}.`;
  }

  listens(name) {
    return this.answer.listeners.some((one) => one.name === name);
  }
}

export const wordsOf = (name) => name.replaceAll("_", " ");
