// Bundles the console: shared OWL components, its own pages, precompiled templates, styles.
// Called by scripts/build_console, which sees to node and the packages.
import { createHash } from "node:crypto";
import { cp, mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";
import { compileTemplates, filesBelow, templateModule } from "./console_templates.mjs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const app = path.join(root, "mtd/api/console/app");
// What both hosts show. The other folders beside it are Odoo's own.
const shared = path.join(root, "odoo_addon/mikrotik_monitoring/static/src/components");
const dist = path.join(root, "mtd/api/console/dist");
// Written aside and moved: a daemon that serves meanwhile never sees half of it, and keeps what it has during the
// moment between the two moves.
const fresh = `${dist}.new`;
const old = `${dist}.old`;

const templates = {
  name: "templates",
  setup(build) {
    build.onResolve({ filter: /^mtd-templates$/ }, () => ({ path: "templates", namespace: "templates" }));
    build.onLoad({ filter: /.*/, namespace: "templates" }, async () => {
      const files = [...(await filesBelow(shared, ".xml")), ...(await filesBelow(app, ".xml"))];
      return { contents: templateModule(await compileTemplates(files)), loader: "js", resolveDir: root };
    });
  },
};

// Templates come compiled: without this one assignment OWL's compiler, and its `new Function`, fall away.
const runtimeOnly = {
  name: "owl-runtime-only",
  setup(build) {
    build.onLoad({ filter: /owl\.es\.js$/ }, async ({ path: file }) => {
      const text = await readFile(file, "utf8");
      const assignment = /TemplateSet\.prototype\._compileTemplate = function[\s\S]*?\n};/;
      if (!assignment.test(text)) throw new Error(`${file}: the compiler isn't where it was; mend the build`);
      return { contents: text.replace(assignment, ""), loader: "js" };
    });
  },
};

async function bundleScripts() {
  const result = await esbuild.build({
    absWorkingDir: root,
    entryPoints: { main: path.join(app, "main.js"), login: path.join(app, "login.js") },
    outdir: path.join(fresh, "assets"),
    entryNames: "[name]-[hash]",
    chunkNames: "[name]-[hash]",
    bundle: true,
    splitting: true,
    minify: true,
    format: "esm",
    target: ["es2021"],
    legalComments: "linked",
    metafile: true,
    nodePaths: [path.join(root, "node_modules")],
    plugins: [templates, runtimeOnly],
    logLevel: "warning",
  });
  await writeLicences(Object.keys(result.metafile.inputs));
  // By entry point: main.js, login.js. Chunks that are loaded later are no pages.
  const pages = Object.entries(result.metafile.outputs).filter(([, output]) => output.entryPoint);
  return new Map(pages.map(([file, output]) => [path.basename(output.entryPoint), path.relative(fresh, path.join(root, file))]));
}

// What is bundled comes under licences that ask to go along with it; a package without a text fails the build.
async function writeLicences(inputs) {
  const found = inputs.map((file) => /(?:^|\/)node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1]).filter(Boolean);
  const parts = ["The console's scripts contain these packages. Of OWL, the compiler of templates was left out.\n"];
  for (const name of [...new Set(found)].sort()) {
    const folder = path.join(root, "node_modules", name);
    const { version, license } = JSON.parse(await readFile(path.join(folder, "package.json"), "utf8"));
    const file = (await readdir(folder)).find((one) => /^licen[cs]e/i.test(one));
    if (!file) throw new Error(`${name} has no file with its licence`);
    parts.push(`==== ${name} ${version}, ${license}\n\n${await readFile(path.join(folder, file), "utf8")}`);
  }
  await writeFile(path.join(fresh, "THIRD_PARTY.txt"), parts.join("\n"));
}

async function bundleStyles() {
  // What all components have in common comes first: pages may change it.
  const common = path.join(shared, "common.css");
  const components = (await filesBelow(shared, ".css")).filter((file) => file !== common);
  const files = [common, ...(await filesBelow(path.join(app, "styles"), ".css")), ...components];
  const contents = files.map((file) => `@import ${JSON.stringify(file)};`).join("\n");
  const result = await esbuild.build({
    stdin: { contents, loader: "css", resolveDir: root },
    bundle: true,
    minify: true,
    write: false,
    target: ["chrome100", "firefox100", "safari15.4"],
    logLevel: "warning",
  });
  const text = result.outputFiles[0].text;
  const name = `assets/main-${hash(text)}.css`;
  await writeFile(path.join(fresh, name), text);
  return name;
}

function hash(text) {
  return createHash("sha256").update(text).digest("hex").slice(0, 8).toUpperCase();
}

async function writePages(scripts, style) {
  for (const [name, script] of [["index.html", "main.js"], ["login.html", "login.js"]]) {
    const page = await readFile(path.join(app, name), "utf8");
    const filled = page.replace("%SCRIPT%", scripts.get(script)).replace("%STYLE%", style);
    if (filled.includes("%")) throw new Error(`${name} holds a place that nothing fills`);
    await writeFile(path.join(fresh, name), filled);
  }
  await cp(path.join(app, "favicon.svg"), path.join(fresh, "favicon.svg"));
}

async function report() {
  const folder = path.join(fresh, "assets");
  for (const name of (await readdir(folder)).sort()) {
    const bytes = await readFile(path.join(folder, name));
    if (name.endsWith(".js") && /new Function|\beval\(/.test(bytes)) {
      throw new Error(`${name} makes code from text, which the page's policy forbids`);
    }
    const kb = (size) => `${(size / 1000).toFixed(1)} kB`;
    console.log(`console:   ${name}: ${kb(bytes.length)}, ${kb(gzipSync(bytes).length)} compressed`);
  }
}

await rm(fresh, { recursive: true, force: true });
await mkdir(path.join(fresh, "assets"), { recursive: true });
await writePages(await bundleScripts(), await bundleStyles());
await report();
await rm(old, { recursive: true, force: true });
await rename(dist, old).catch((error) => {
  if (error.code !== "ENOENT") throw error; // there was none
});
await rename(fresh, dist);
await rm(old, { recursive: true, force: true });
