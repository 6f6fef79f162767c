// Builds a page that shows the addon's widgets without Odoo: node build_page.mjs FOLDER
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import { compileTemplates, filesBelow, templateModule } from "../../../scripts/console_templates.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, "../../..");
const addon = path.join(root, "odoo_addon/mikrotik_monitoring");
const [folder] = process.argv.slice(2);

// What the manifest names, in its order: what it forgets is missing here, too.
const manifest = await readFile(path.join(addon, "__manifest__.py"), "utf8");
const named = [...manifest.matchAll(/"mikrotik_monitoring\/(static\/src\/[^"]+)"/g)].map(([, file]) => path.join(addon, file));

const odoo = {
  name: "odoo",
  setup(build) {
    build.onResolve({ filter: /^@web\// }, () => ({ path: path.join(here, "web.mjs") }));
    build.onResolve({ filter: /^mtd-templates$/ }, () => ({ path: "templates", namespace: "templates" }));
    build.onLoad({ filter: /.*/, namespace: "templates" }, async () => {
      const shown = named.filter((file) => /\/(components|widgets)\/.*\.xml$/.test(file));
      const contents = templateModule(await compileTemplates(shown));
      return { contents, loader: "js", resolveDir: root };
    });
  },
};

// Odoo's own colours are made of its variables of SCSS: the console's stand for them.
const tokens = await filesBelow(path.join(root, "mtd/api/console/app/styles"), "00_tokens.css");
const styles = [...tokens, ...named.filter((file) => file.endsWith(".css"))];
await writeFile(path.join(folder, "page.css"), (await Promise.all(styles.map((file) => readFile(file, "utf8")))).join("\n"));
await esbuild.build({
  absWorkingDir: root,
  entryPoints: { page: path.join(here, "page.mjs") },
  outdir: folder,
  bundle: true,
  format: "esm",
  target: ["es2022"],
  nodePaths: [path.join(root, "node_modules")],
  plugins: [odoo],
  logLevel: "warning",
});
await writeFile(
  path.join(folder, "index.html"),
  '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,"><link rel="stylesheet" href="page.css"><script type="module" src="page.js"></script></head><body></body></html>'
);
