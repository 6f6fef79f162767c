import { Component } from "@odoo/owl";
import { useListener } from "#shared/components/hooks.js";
import { formatHash } from "../../services/router.js";
import { DevicePicker } from "./device_picker.js";
import { FlowInterfaces } from "./flow_interfaces.js";
import { FlowPaths } from "./flow_paths.js";
import { FlowSearch } from "./flow_search.js";
import { fieldOf, timeOf, WINDOWS } from "./flow_text.js";
import { FlowTop } from "./flow_top.js";
import { TimeField } from "./time_field.js";

const VIEWS = [
  { key: "", label: "Largest", page: FlowTop },
  { key: "paths", label: "Paths", page: FlowPaths },
  { key: "search", label: "Who had it", page: FlowSearch },
  { key: "interfaces", label: "Against counters", page: FlowInterfaces },
];
const DEFAULT_S = 3600;

/** What exporters told: who talks most, by which way, who had an address, and whether flows tell of everything. */
export class FlowsPage extends Component {
  static template = "console.FlowsPage";
  static components = { DevicePicker, TimeField };
  static props = {};

  setup() {
    this.views = VIEWS;
    this.windows = WINDOWS;
    this.keep = (change) => {
      const params = { ...this.params, ...change };
      this.env.router.replace(formatHash("flows", params));
    };
    this.chooseDevices = (devices) => this.keep({ devices: devices.join(",") });
    // Who leaves for another page isn't to read one more of these.
    useListener(this.env.router, "route", ({ page }) => page === "flows" && this.render());
  }

  get params() {
    return this.env.router.route.params;
  }

  get view() {
    return VIEWS.find(({ key }) => key === (this.params.view ?? "")) ?? VIEWS[0];
  }

  get devices() {
    return (this.params.devices ?? "").split(",").filter(Boolean);
  }

  get seconds() {
    const seconds = Number(this.params.seconds);
    return WINDOWS.some((one) => one.seconds === seconds) ? seconds : DEFAULT_S;
  }

  /** Until when, in microseconds; null: now. */
  get untilUs() {
    const us = Number(this.params.until);
    return Number.isSafeInteger(us) && us > 0 ? us : null;
  }

  get until() {
    return fieldOf(this.untilUs).slice(0, 16);
  }

  /** Which flows, as all pages of the daemon take it. */
  get asked() {
    return { device: this.devices, seconds: this.seconds, end_us: this.untilUs };
  }

  // Who types a year has been in the years 2, 20 and 202 before 2026.
  onUntil(text) {
    const us = timeOf(text);
    if (us === null || us > 0) this.keep({ until: us ?? "" });
  }
}
