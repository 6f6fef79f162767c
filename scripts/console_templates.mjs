// Compiles OWL's XML templates to functions, so that the page needs no compiler and no unsafe-eval.
// Used by the build and by the tests of components.
import { readFile, readdir } from "node:fs/promises";
import path from "node:path";
import { JSDOM } from "jsdom";

/** All files below `folder` with that ending, in a stable order. */
export async function filesBelow(folder, ending) {
  const entries = await readdir(folder, { withFileTypes: true });
  const found = await Promise.all(
    entries.map((entry) => {
      const full = path.join(folder, entry.name);
      if (entry.isDirectory()) return filesBelow(full, ending);
      return entry.name.endsWith(ending) ? [full] : [];
    })
  );
  return found.flat().sort();
}

/** Give node what a page has: OWL reads the DOM's classes when it is loaded, even if it only compiles. */
export function installDom(html = "<!doctype html><body></body>") {
  const { window } = new JSDOM(html, { pretendToBeVisual: true, url: "http://localhost/" });
  for (const name of Object.getOwnPropertyNames(window)) {
    if (!(name in globalThis)) globalThis[name] = window[name];
  }
  return window;
}

async function loadOwl() {
  if (!("document" in globalThis)) installDom();
  return import("@odoo/owl");
}

/** Compile the templates in these files; returns a Map of name to the source text of a function. */
export async function compileTemplates(files) {
  const { App, Component } = await loadOwl();
  const compiler = new App(Component);
  const compiled = new Map();
  for (const file of files) {
    const parsed = new DOMParser().parseFromString(await readFile(file, "utf8"), "text/xml");
    const wrong = parsed.querySelector("parsererror");
    if (wrong) throw new Error(`${file}: ${wrong.textContent}`);
    for (const template of parsed.querySelectorAll("[t-name]")) {
      const name = template.getAttribute("t-name");
      if (compiled.has(name)) throw new Error(`${file}: the template ${name} exists already`);
      template.removeAttribute("t-name");
      if (template.querySelector("[style], [t-att-style], [t-attf-style]")) {
        throw new Error(`${file}: ${name} has a style attribute, which the page's policy forbids`);
      }
      compiled.set(name, compiler._compileTemplate(name, template).toString());
    }
  }
  return compiled;
}

/** A module that exports the compiled templates by name. */
export function templateModule(compiled) {
  const members = [...compiled].map(([name, text]) => {
    const named = text.replace(/^function anonymous\(/, "function (");
    return `${JSON.stringify(name)}: ${named}`;
  });
  return `export const templates = {\n${members.join(",\n")}\n};\n`;
}
