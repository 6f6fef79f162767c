import { Component, useRef } from "@odoo/owl";
import { useDocument, useListener } from "#shared/components/hooks.js";

const ROLES = { viewer: "Viewer", operator: "Operator", admin: "Admin", "super-admin": "Super-admin" };

/** Who looks, for which tenant, and what they may change about that. What isn't allowed isn't offered. */
export class WhoMenu extends Component {
  static template = "console.WhoMenu";
  static props = {};

  setup() {
    this.root = useRef("root");
    this.error = null;
    this.busy = false;
    useListener(this.env.who, "who", () => this.render());
    useDocument("click", (event) => this.closeUnless(event.target));
    useDocument("keydown", (event) => event.key === "Escape" && this.close());
  }

  get me() {
    return this.env.who.me;
  }

  get name() {
    return this.me.name || "This machine";
  }

  get role() {
    return ROLES[this.me.role] ?? "";
  }

  /** The tenant is worth a word where there are several. */
  get tenant() {
    return this.me.tenants?.length === 1 ? "" : this.me.tenant.name;
  }

  get label() {
    const where = this.tenant ? `, tenant ${this.tenant}` : "";
    return `${this.name}${this.role ? `, ${this.role}` : ""}${where}`;
  }

  get choices() {
    const { tenants } = this.me;
    return tenants && tenants.length > 1 ? tenants : null;
  }

  async attempt(work) {
    if (this.busy) return;
    this.busy = true;
    this.error = null;
    try {
      await work();
    } catch (error) {
      this.error = error;
    } finally {
      this.busy = false;
      this.render();
    }
  }

  choose(event) {
    const { value } = event.target;
    return this.attempt(() => this.env.who.choose(value));
  }

  logOut() {
    return this.attempt(() => this.env.who.logOut());
  }

  get loginHref() {
    return "login?other=1";
  }

  closeUnless(target) {
    if (this.root.el && !this.root.el.contains(target)) this.root.el.open = false;
  }

  close() {
    const { el } = this.root;
    if (!el?.open) return;
    el.open = false;
    el.querySelector("summary").focus();
  }
}
