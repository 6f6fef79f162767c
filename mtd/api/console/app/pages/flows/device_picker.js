import { Component, useRef } from "@odoo/owl";
import { useDocument, useRedraw } from "#shared/components/hooks.js";
import { SearchField } from "#shared/components/search_field/search_field.js";
import { plainText } from "#shared/lib/format.js";
import { compare } from "#shared/lib/sorting.js";

const SHOWN = 50;
const MOST = 100; // as many as the daemon takes

/** Which routers: all of them, or some. */
export class DevicePicker extends Component {
  static template = "console.DevicePicker";
  static components = { SearchField };
  static props = { chosen: Array, onChoose: Function };

  setup() {
    this.root = useRef("root");
    this.query = "";
    useRedraw(this.env.store, "fleet");
    useDocument("click", (event) => this.closeUnless(event.target));
    useDocument("keydown", (event) => event.key === "Escape" && this.close());
  }

  name(id) {
    return plainText(this.env.store.devices.get(id)?.name) || "Removed router";
  }

  get summary() {
    const { chosen } = this.props;
    if (!chosen.length) return "All routers";
    return chosen.length === 1 ? this.name(chosen[0]) : `${chosen.length} routers`;
  }

  /** Those that are chosen, then those whose name fits, by name. */
  get rows() {
    const { chosen } = this.props;
    const wanted = this.query.toLowerCase();
    const others = [...this.env.store.devices.values()]
      .filter(({ id, name }) => !chosen.includes(id) && name.toLowerCase().includes(wanted))
      .sort((a, b) => compare(a.name, b.name));
    const shown = others.slice(0, SHOWN);
    return {
      all: [...chosen.map((id) => ({ id, chosen: true })), ...shown.map(({ id }) => ({ id, chosen: false }))].map((row) => ({ ...row, name: this.name(row.id) })),
      more: others.length - shown.length,
      full: chosen.length >= MOST,
    };
  }

  toggle(id) {
    const { chosen } = this.props;
    this.props.onChoose(chosen.includes(id) ? chosen.filter((one) => one !== id) : [...chosen, id]);
  }

  onSearch(query) {
    this.query = query;
    this.render();
  }

  closeUnless(target) {
    // What was clicked may have been drawn anew: then it is nowhere any more.
    if (this.root.el && target.isConnected && !this.root.el.contains(target)) this.root.el.open = false;
  }

  close() {
    const { el } = this.root;
    if (!el?.open) return;
    el.open = false;
    el.querySelector("summary").focus();
  }
}
