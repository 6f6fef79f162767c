// What tests of the console share: time that stands until it is moved, and a page to mount components in.
import path from "node:path";
import { fileURLToPath } from "node:url";
import { compileTemplates, filesBelow, installDom, templateModule } from "../../scripts/console_templates.mjs";

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
export const SHARED = path.join(ROOT, "odoo_addon/mikrotik_monitoring/static/src");
export const APP = path.join(ROOT, "mtd/api/console/app");

/** Timers that run when the test says so. */
export class StandingTime {
  constructor(t) {
    const real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };
    this._nowMs = 0;
    this._due = new Map();
    let last = 0;
    globalThis.setTimeout = (run, ms = 0) => (this._due.set((last += 1), { run, at: this._nowMs + ms }), last);
    globalThis.clearTimeout = (id) => this._due.delete(id);
    t.after(() => Object.assign(globalThis, real));
  }

  get waiting() {
    return this._due.size;
  }

  tick(ms) {
    const until = this._nowMs + ms;
    for (;;) {
      const next = [...this._due].filter(([, { at }]) => at <= until).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!next) break;
      const [id, { run, at }] = next;
      this._due.delete(id);
      this._nowMs = at;
      run();
    }
    this._nowMs = until;
  }
}

/** A page with OWL: mount(Component, props, env) gives {element, app}. */
export async function openPage() {
  installDom();
  globalThis.ResizeObserver ??= class {
    observe() {}
    disconnect() {}
  };
  const files = [...(await filesBelow(SHARED, ".xml")), ...(await filesBelow(APP, ".xml"))];
  const compiled = await compileTemplates(files);
  const source = `data:text/javascript,${encodeURIComponent(templateModule(compiled))}`;
  const { templates } = await import(source);
  const { App } = await import("@odoo/owl");
  const mount = async (Component, props, env = {}) => {
    const target = document.createElement("div");
    document.body.append(target);
    const app = new App(Component, { props, env, templates, test: true });
    await app.mount(target);
    return { element: target, app };
  };
  return { mount, templates };
}

/** Wait until what was asked for is drawn. */
export const drawn = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
