/** @odoo-module **/

import { registry } from "@web/core/registry";
import { formView } from "@web/views/form/form_view";

/**
 * The form of what mtd gets after the commit: what is read with a save doesn't know yet how that went, so it is read
 * once more.
 */
export class PushedFormController extends formView.Controller {
    /** @override */
    async save(params) {
        const saved = await super.save(params);
        const record = this.model.root;
        if (saved && record.resId && record.data.sync_state === "pending") {
            await record.load();
        }
        return saved;
    }
}

registry.category("views").add("mikrotik_pushed_form", { ...formView, Controller: PushedFormController });
