import { Component, useRef } from "@odoo/owl";
import { useOwnText } from "#shared/components/hooks.js";

/** A field for a time, to the minute. What one types stays, however often the page is drawn meanwhile. */
export class TimeField extends Component {
  static template = "console.TimeField";
  static props = {
    text: String, // as forms have it: "2026-11-25T14:03"
    onTime: Function, // text => ..., when there is a whole time, or none
    testId: String,
  };

  setup() {
    this.field = useRef("field");
    this.report = useOwnText(this.field);
  }

  onChange(event) {
    const { value, validity } = event.target;
    if (validity.badInput) return; // a part of a time
    this.report(value);
    this.props.onTime(value);
  }
}
