// Shows widgets of the addon as a form of Odoo does; a test drives it by `window.stage`.
import { App } from "@odoo/owl";
import { templates } from "mtd-templates";
import "#shared/odoo/live_service.js";
import "#shared/odoo/widgets/diagnostic/diagnostic.js";
import "#shared/odoo/widgets/health/health.js";
import "#shared/odoo/widgets/interfaces/interfaces.js";
import "#shared/odoo/widgets/live/live.js";
import { Chart } from "../../../mtd/api/console/app/services/chart.js";
import { FakeBus, FakeOrm, odooError, payload } from "./fakes.mjs";
import { registry } from "./web.mjs";

window.Chart = Chart; // as Odoo's bundle leaves it

const [bus, orm] = [new FakeBus(), new FakeOrm()];
const env = { services: { bus_service: bus, orm } };
env.services.mikrotik_live = registry.category("services").get("mikrotik_live").start(env, { bus_service: bus, orm });

window.stage = {
  bus,
  orm,
  odooError,
  hub: env.services.mikrotik_live,
  app: null,
  loads: 0,
  /** Show a widget by its name for a record; what was shown before is gone. */
  async show(name, { resId = 1, ...data } = {}) {
    this.app?.destroy();
    this.app = null;
    document.body.replaceChildren();
    if (!name) return;
    const record = { resId, data: { mtd_id: "d-1", ...data }, load: async () => (this.loads += 1) };
    const { component } = registry.category("view_widgets").get(name);
    this.app = new App(component, { props: { record }, env, templates, test: true });
    await this.app.mount(document.body);
  },
  /** Let a message of a device come, as of now. */
  tell(device = 1, more = {}) {
    bus.tell(payload(device, Date.now() * 1000, more));
  },
};
document.documentElement.dataset.ready = "true";
