/** @odoo-module **/
import { Component, onWillUnmount } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { HealthBar } from "../../../components/health_bar/health_bar.js";
import { useDocument, useRedraw } from "../../../components/hooks.js";
import { StatusBadge } from "../../../components/status_badge/status_badge.js";
import { reasonOf } from "../../../lib/fleet.js";
import { duration, shortTime } from "../../../lib/format.js";
import { PageReading } from "../../../lib/page_reading.js";
import { word } from "../../../lib/words.js";
import { useLiveHub } from "../../hooks.js";
import { OrmReader, patientMs } from "../../orm_reader.js";
import { deviceWidget } from "../device_widget.js";

const AGAIN_MS = 60000;
const MOST = 200;

/** How a router was over a day or a week: as a bar, and change by change. */
export class HealthView extends Component {
  static template = "mikrotik_monitoring.HealthView";
  static components = { HealthBar, StatusBadge };
  static props = { deviceId: Number };

  word = word;

  setup() {
    useLiveHub();
    this.windows = [
      { seconds: 86400, label: _t("24 hours") },
      { seconds: 7 * 86400, label: _t("7 days") },
    ];
    this.reading = new PageReading(new OrmReader(this.env.services.orm, this.props.deviceId), "health", patientMs);
    useRedraw(this.reading, "change");
    useDocument("visibilitychange", () => this.reading.pause(document.hidden));
    onWillUnmount(() => this.reading.close());
    this.choose(this.windows[0].seconds);
  }

  choose(seconds) {
    this.seconds = seconds;
    this.reading.want({ seconds }, AGAIN_MS);
    this.render();
  }

  /** What was known, the newest first. */
  get changes() {
    const { segments, end_us: endUs } = this.reading.answer;
    const known = segments.filter(({ status, reason }) => status !== "unknown" || reason);
    return known.reverse().map((segment) => this.tell(segment, endUs));
  }

  get shown() {
    const changes = this.changes;
    return { changes: changes.slice(0, MOST), left: Math.max(0, changes.length - MOST) };
  }

  tell(segment, endUs) {
    const { from_us: fromUs, to_us: toUs, status } = segment;
    return {
      fromUs,
      status,
      from: shortTime(fromUs, endUs),
      to: toUs >= endUs ? _t("now") : shortTime(toUs, endUs),
      lasted: duration((toUs - fromUs) / 1e6),
      reason: reasonOf(segment),
    };
  }
}

registry.category("view_widgets").add("mikrotik_health", deviceWidget(HealthView));
