/** @odoo-module **/

import { download } from "@web/core/network/download";
import { registry } from "@web/core/registry";
import { ListController } from "@web/views/list/list_controller";
import { listView } from "@web/views/list/list_view";

/** A list of values, which the server reads anew by each request: it finds a selection only where it is told to look. */
export class MetricListController extends ListController {
    async downloadExport(fields, importCompat, format) {
        const root = this.model.root;
        const selected = this.isDomainSelected ? [] : await this.getSelectedResIds();
        if (!selected.length) {
            return super.downloadExport(fields, importCompat, format);
        }
        const exported = fields.map((field) => ({
            name: field.name || field.id,
            label: field.label || field.string,
            store: field.store,
            type: field.field_type || field.type,
        }));
        await download({
            data: {
                data: JSON.stringify({
                    import_compat: false,
                    context: this.props.context,
                    domain: [["id", "in", selected], ...root.domain],
                    fields: exported,
                    groupby: root.groupBy,
                    ids: false,
                    model: root.resModel,
                }),
            },
            url: `/web/export/${format}`,
        });
    }
}

registry.category("views").add("mikrotik_metric_list", { ...listView, Controller: MetricListController });
