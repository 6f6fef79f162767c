/** @odoo-module **/
import { Component, useRef } from "@odoo/owl";
import { useOwnText } from "../hooks.js";

/** A field for words that are looked for. What one types stays, however often the page is drawn meanwhile. */
export class SearchField extends Component {
  static template = "mikrotik_monitoring.SearchField";
  static props = {
    text: String, // what is looked for, as far as the host knows
    onInput: Function, // text => ..., at each letter
    label: String,
    placeholder: String,
    type: { type: String, optional: true }, // "search" if it isn't told
    class: { type: String, optional: true }, // one more class
    hint: { type: String, optional: true },
    main: { type: Boolean, optional: true }, // the one of the page, where "/" leads
    keys: { type: String, optional: true }, // keys that are the host's even while one types: "ArrowDown Enter"
    testId: { type: String, optional: true },
  };

  setup() {
    this.field = useRef("field");
    this.report = useOwnText(this.field);
  }

  onInput(event) {
    const { value } = event.target;
    this.report(value);
    this.props.onInput(value);
  }
}
