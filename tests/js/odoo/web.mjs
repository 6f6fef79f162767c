// What the addon's scripts import of Odoo's web client, as far as they use it.
export class ConnectionLostError extends Error {}

class Category extends Map {
  add(name, value) {
    this.set(name, value);
    return this;
  }
}

const categories = new Map();
export const registry = {
  category(name) {
    if (!categories.has(name)) categories.set(name, new Category());
    return categories.get(name);
  },
};
export const standardWidgetProps = { readonly: { type: Boolean, optional: true }, record: { type: Object } };

/** Translations, by the text; a test may put some there. */
export const translatedTerms = new Map();
export const _t = (text, ...values) => values.reduce((shown, value) => shown.replace("%s", value), translatedTerms.get(text) ?? text);

/** Odoo's bundles put their scripts into the page; a test may have put Chart.js there. */
export async function loadBundle(name) {
  if (name !== "web.chartjs_lib") throw new Error(`nobody expected the bundle ${name}`);
}
