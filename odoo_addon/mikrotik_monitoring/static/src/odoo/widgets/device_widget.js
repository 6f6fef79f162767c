/** @odoo-module **/
import { Component } from "@odoo/owl";
import { standardWidgetProps } from "@web/views/widgets/standard_widget_props";

/** What a form shows of the router of its record: nothing before it is saved and mtd knows it. */
class DeviceWidget extends Component {
  static template = "mikrotik_monitoring.DeviceWidget";
  static props = standardWidgetProps;

  get id() {
    return this.props.record.resId || null;
  }

  get known() {
    return Boolean(this.props.record.data.mtd_id);
  }
}

/** The widget of a view that shows `body` for the device of the record; `body` has the prop `deviceId`. */
export function deviceWidget(body) {
  class Widget extends DeviceWidget {
    body = body;
  }
  return { component: Widget, fieldDependencies: [{ name: "mtd_id", type: "char" }] };
}
