import { Component, onError, onMounted, onPatched } from "@odoo/owl";
import { useDocument, useListener, useRedraw } from "#shared/components/hooks.js";
import { shortTime } from "#shared/lib/format.js";
import { DevicePage } from "../pages/device/device_page.js";
import { DevicesPage } from "../pages/devices/devices_page.js";
import { DropsPage } from "../pages/drops/drops_page.js";
import { EventsPage } from "../pages/events/events_page.js";
import { FlowsPage } from "../pages/flows/flows_page.js";
import { LogsPage } from "../pages/logs/logs_page.js";
import { SelfPage } from "../pages/self/self_page.js";
import { WhoMenu } from "./who_menu.js";

const PAGES = { devices: DevicesPage, device: DevicePage, events: EventsPage, logs: LogsPage, flows: FlowsPage, drops: DropsPage, mtd: SelfPage };
const TITLES = { devices: "Routers", device: "Router", events: "Events", logs: "Logs", flows: "Flows", drops: "Drops", mtd: "mtd health" };
const THEME_TEXT = { auto: "as the system", light: "light", dark: "dark" };

/** The frame of the console: where one can go, whether the channel lives, and the page. */
export class Shell extends Component {
  static template = "console.Shell";
  static components = { WhoMenu };
  static props = {};

  setup() {
    const { router, live } = this.env;
    useRedraw(live, "phase", "hello");
    this.shownKey = this.pageKey;
    useListener(router, "route", () => {
      this.failed = null;
      if (this.shownKey !== this.pageKey) window.scrollTo(0, 0);
      this.shownKey = this.pageKey;
      this.title();
      this.render();
    });
    this.failed = null;
    onError((error) => this.onFailure(error));
    useDocument("keydown", (event) => this.onKey(event));
    this.title();
    onMounted(() => this.showLink());
    onPatched(() => this.showLink());
  }

  /** Where links scroll, that of this page is in view. */
  showLink() {
    const link = document.querySelector(".nav [aria-current]");
    if (!link) return;
    const { parentElement: nav } = link;
    nav.scrollLeft = link.offsetLeft - nav.offsetLeft - (nav.clientWidth - link.offsetWidth) / 2;
  }

  title() {
    document.title = `${TITLES[this.route.page]} · mtd`;
  }

  get route() {
    return this.env.router.route;
  }

  get page() {
    return PAGES[this.route.page];
  }

  get pageKey() {
    return `${this.route.page}/${this.route.id ?? ""}`;
  }

  get pageProps() {
    return this.route.id ? { id: this.route.id } : {};
  }

  // A page that can't be drawn must not take the frame with it: one can still go elsewhere.
  onFailure(error) {
    if (this.failed) throw error;
    console.error(error.cause ?? error);
    this.failed = this.pageKey;
    this.render();
  }

  get links() {
    const { page } = this.route;
    return [
      { href: this.env.router.listHash, text: "Routers", current: page === "devices" || page === "device" },
      { href: "#/events", text: "Events", current: page === "events" },
      { href: "#/logs", text: "Logs", current: page === "logs" },
      { href: "#/flows", text: "Flows", current: page === "flows" },
      { href: "#/drops", text: "Drops", current: page === "drops" },
      { href: "#/mtd", text: "mtd health", current: page === "mtd" },
    ];
  }

  get connection() {
    const { phase } = this.env.live;
    return { live: "Live", connecting: "Connecting", lost: "Not connected" }[phase];
  }

  get banner() {
    const { live, clock } = this.env;
    if (live.phase !== "lost") return "";
    if (!live.lostAtUs) return "mtd doesn't answer. Trying again…";
    return `Connection to mtd lost. Values are as of ${shortTime(live.lostAtUs, clock.nowUs())}. Reconnecting…`;
  }

  get themeText() {
    return THEME_TEXT[this.env.theme.name];
  }

  nextTheme() {
    this.env.theme.next();
    this.render();
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.closest("input, select, textarea");
    if (event.key === "/" && !typing) {
      const search = document.querySelector("[data-search]") ?? document.querySelector("input[type=search]");
      if (!search) return;
      search.focus();
      search.select();
      event.preventDefault();
    } else if (event.key === "Escape") {
      if (typing) typing.blur();
      else if (this.route.page === "device") this.env.router.go(this.env.router.listHash);
    }
  }

  skip(event) {
    // The address after the # is the console's route: the link may not change it.
    event.preventDefault();
    document.getElementById("main").focus();
  }
}
