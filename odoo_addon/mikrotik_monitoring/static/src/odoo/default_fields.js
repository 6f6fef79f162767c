/** @odoo-module **/

import { registry } from "@web/core/registry";
import { FloatField, floatField } from "@web/views/fields/float/float_field";
import { IntegerField, integerField } from "@web/views/fields/integer/integer_field";

/** A number whose zero stands for a default: its placeholder says so in place of the zero. */
const withDefault = (Field) =>
    class extends Field {
        /** @override */
        get formattedValue() {
            if (this.value) {
                return super.formattedValue;
            }
            return this.props.readonly ? this.props.placeholder : "";
        }
    };

registry
    .category("fields")
    .add("mikrotik_default_float", { ...floatField, component: withDefault(FloatField) })
    .add("mikrotik_default_integer", { ...integerField, component: withDefault(IntegerField) });
