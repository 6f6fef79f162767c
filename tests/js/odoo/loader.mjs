// Sends imports of Odoo's web client to what stands for it in tests.
const WEB = new URL("./web.mjs", import.meta.url).href;

export async function resolve(specifier, context, next) {
  return specifier.startsWith("@web/") ? { url: WEB, shortCircuit: true } : next(specifier, context);
}
