/** @odoo-module **/
import { Component, onWillDestroy, useEffect, useRef } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { standardWidgetProps } from "@web/views/widgets/standard_widget_props";
import { useListener } from "../../../components/hooks.js";
import { plainText } from "../../../lib/format.js";
import { word } from "../../../lib/words.js";
import { useLiveHub } from "../../hooks.js";

/** What a tool on a router says, line by line, as it comes. */
export class DiagnosticOutput extends Component {
  static template = "mikrotik_monitoring.DiagnosticOutput";
  static props = { record: Object, runId: Number };

  word = word;

  setup() {
    const hub = useLiveHub();
    this.told = null;
    this.output = useRef("output");
    useListener(hub, "diagnostic", (payload) => this.take(payload));
    onWillDestroy(hub.listen(`mikrotik_monitoring.diagnostic.${this.props.runId}`));
    // The newest line stays in view.
    useEffect((count) => {
      if (count) this.output.el.scrollTop = this.output.el.scrollHeight;
    }, () => [this.lines.length]);
  }

  take(payload) {
    if (payload.id !== this.props.runId) return;
    const changed = payload.state !== this.state;
    this.told = payload;
    this.render();
    // The form's buttons and fields follow the state.
    if (changed) this.props.record.load();
  }

  get state() {
    return this.told?.state ?? this.props.record.data.state;
  }

  get lines() {
    const lines = this.told?.lines ?? (this.props.record.data.output || "").split("\n").filter(Boolean);
    return lines.map(plainText);
  }

  get error() {
    return this.told?.error ?? this.props.record.data.error ?? "";
  }

  get empty() {
    return { queued: _t("Waiting for the bridge…"), running: _t("Running…") }[this.state] ?? _t("No output.");
  }
}

class DiagnosticWidget extends Component {
  static template = "mikrotik_monitoring.DiagnosticWidget";
  static components = { DiagnosticOutput };
  static props = standardWidgetProps;
}

registry.category("view_widgets").add("mikrotik_diagnostic", {
  component: DiagnosticWidget,
  fieldDependencies: [
    { name: "state", type: "selection" },
    { name: "output", type: "text" },
    { name: "error", type: "text" },
  ],
});
