/** @odoo-module **/
import { loadBundle } from "@web/core/assets";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { setTranslator } from "../lib/words.js";
import { LiveHub } from "./live_hub.js";

// Odoo has Chart.js in a bundle of its own, which puts it into the page.
async function loadChart() {
  await loadBundle("web.chartjs_lib");
  return window.Chart;
}

export const liveService = {
  dependencies: ["bus_service", "orm"],
  start(env, { bus_service: bus, orm }) {
    setTranslator(_t);
    return new LiveHub({ bus, orm, loadChart });
  },
};

registry.category("services").add("mikrotik_live", liveService);
