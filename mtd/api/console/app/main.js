import { App, whenReady } from "@odoo/owl";
import { templates } from "mtd-templates";
import { Clock } from "#shared/lib/clock.js";
import { HttpClient } from "./services/http.js";
import { LiveChannel } from "./services/live.js";
import { Router } from "./services/router.js";
import { Store } from "./services/store.js";
import { Theme } from "./services/theme.js";
import { Who, toLogin } from "./services/who.js";
import { Shell } from "./shell/shell.js";

// Chart.js is half of all script: it comes when a chart is first shown.
const loadChart = () => import("./services/chart.js").then((module) => module.Chart);

async function open() {
  const theme = new Theme(() => localStorage);
  theme.apply();
  const clock = new Clock();
  const http = new HttpClient("api/v1/", () => toLogin(window));
  const store = new Store(clock);
  const live = new LiveChannel({ url: new URL("live", location.href), clock });
  const router = new Router(window);
  store.listenTo(live);
  const who = new Who(http, window);
  // A browser doesn't tell a page why it has no channel: whether it is for lack of a login shows here.
  live.on("break", () => who.check());
  live.on("phase", (phase) => phase === "live" && who.load());
  const env = { clock, http, store, live, router, theme, who, loadChart, list: { place: { scrollTop: 0, cursor: null } } };
  await whenReady();
  clock.start();
  live.open();
  const app = new App(Shell, { env, templates, name: "mtd console" });
  await app.mount(document.body);
  document.getElementById("boot")?.remove();
}

open().catch((error) => {
  const boot = document.getElementById("boot");
  if (boot) boot.textContent = `The console could not be opened: ${error.message}. Loading the page again may help.`;
  throw error; // for the browser's own log
});
