// The addon's own scripts in node, without Odoo.
import { register } from "node:module";

register("./loader.mjs", import.meta.url);

export * from "./fakes.mjs";
