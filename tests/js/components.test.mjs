import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { filesBelow } from "../../scripts/console_templates.mjs";
import { APP, SHARED, drawn, openPage } from "./kit.mjs";

const { mount, templates } = await openPage();
const { Component, onWillStart, xml } = await import("@odoo/owl");
const { Emitter } = await import("#shared/lib/emitter.js");
const { useListener, useRedraw } = await import("#shared/components/hooks.js");
const { StatusBadge } = await import("#shared/components/status_badge/status_badge.js");
const { KpiTile } = await import("#shared/components/kpi_tile/kpi_tile.js");
const { HealthBar } = await import("#shared/components/health_bar/health_bar.js");
const { EventList } = await import("#shared/components/event_list/event_list.js");
const { InterfaceTable } = await import("#shared/components/interface_table/interface_table.js");
const { DeviceTable } = await import("#shared/components/device_table/device_table.js");
const { TimeChart } = await import("#shared/components/time_chart/time_chart.js");
const { DeviceCost } = await import(`${APP}/pages/device/device_cost.js`);
const { DevicePage } = await import(`${APP}/pages/device/device_page.js`);
const { interfaceRows } = await import("#shared/lib/interfaces.js");

const ODOO = path.join(SHARED, "odoo");

test("shared files import OWL and their own kind only, as Odoo's loader wants them", async () => {
  for (const file of await filesBelow(SHARED, ".js")) {
    const text = await readFile(file, "utf8");
    const own = file.startsWith(ODOO); // Odoo's own may import its web client, too
    assert.equal(text.split("\n")[0], "/** @odoo-module **/", file);
    const targets = [...text.matchAll(/(?:from|import)\s*\(?"([^"]+)"/g)].map(([, target]) => target);
    for (const target of targets) {
      assert.match(target, own ? /^(@odoo\/owl$|@web\/|\.\.?\/)/ : /^(@odoo\/owl$|\.\.?\/)/, `${file} imports ${target}`);
      if (!own) assert.ok(!path.resolve(path.dirname(file), target).startsWith(ODOO), `${file} imports ${target}`);
    }
  }
});

test("the addon's manifest names each file that Odoo's own scripts need", async () => {
  const addon = path.dirname(path.dirname(SHARED));
  const manifest = await readFile(path.join(addon, "__manifest__.py"), "utf8");
  const named = [...manifest.matchAll(/"mikrotik_monitoring\/(static\/src\/[^"]+)"/g)].map(([, file]) => path.join(addon, file));
  assert.equal(new Set(named).size, named.length);
  for (const ending of [".js", ".xml", ".css", ".scss"]) {
    for (const file of await filesBelow(ODOO, ending)) assert.ok(named.includes(file), `${file} isn't in the manifest`);
  }
  for (const file of named) {
    const text = await readFile(file, "utf8"); // it is there
    if (!file.endsWith(".js")) continue;
    for (const [, target] of text.matchAll(/from "(\.[^"]+)"/g)) {
      const wanted = path.resolve(path.dirname(file), target);
      assert.ok(named.includes(wanted), `${file} imports ${target}, which isn't in the manifest`);
    }
    for (const [, name] of text.matchAll(/static template = "mikrotik_monitoring\.([^"]+)"/g)) {
      const folder = path.dirname(file);
      const beside = named.filter((one) => path.dirname(one) === folder && one.endsWith(".xml"));
      const texts = await Promise.all(beside.map((one) => readFile(one, "utf8")));
      assert.ok(texts.some((one) => one.includes(`t-name="mikrotik_monitoring.${name}"`)), `the template ${name} isn't in the manifest`);
      const styles = (await filesBelow(folder, ".css")).filter((one) => path.dirname(one) === folder);
      for (const style of styles) assert.ok(named.includes(style), `${style} isn't in the manifest`);
    }
  }
});

test("each component has its template", async () => {
  const files = [...(await filesBelow(SHARED, ".js")), ...(await filesBelow(APP, ".js"))];
  for (const file of files) {
    for (const [, name] of (await readFile(file, "utf8")).matchAll(/static template = "([^"]+)"/g)) {
      assert.ok(name in templates, `${path.relative(APP, file)}: ${name}`);
    }
  }
});

test("what is said while a component is drawn for the first time is shown", async () => {
  const channel = Object.assign(new Emitter(), { phase: "connecting" });
  let go;
  class Slow extends Component {
    static template = xml`<i/>`;
    static props = {};
    setup() {
      onWillStart(() => new Promise((done) => (go ??= done)));
    }
  }
  class Frame extends Component {
    static template = xml`<p><t t-esc="phase"/><t t-if="phase === 'connecting'"><Slow/></t></p>`;
    static components = { Slow };
    static props = {};
    setup() {
      useRedraw(channel, "phase");
      useListener(channel, "phase", (phase) => heard.push(phase));
    }
    get phase() {
      return channel.phase;
    }
  }
  const heard = [];
  const shown = mount(Frame, {});
  while (!go) await drawn();
  channel.phase = "live"; // drawn as connecting, not shown yet
  channel.emit("phase", "live");
  go();
  const { element, app } = await shown;
  await drawn();
  assert.equal(element.textContent, "live");
  assert.deepEqual(heard, ["live"]);
  app.destroy();
  assert.equal(channel.size, 0);
});

test("who stops listening while something is told isn't told any more", () => {
  const emitter = new Emitter();
  const heard = [];
  emitter.on("x", () => stop());
  const stop = emitter.on("x", () => heard.push("second"));
  emitter.emit("x");
  assert.deepEqual(heard, []);
});

test("a status tells itself by a word and a shape", async () => {
  const shapes = new Set();
  for (const status of ["up", "degraded", "down", "unknown"]) {
    const { element } = await mount(StatusBadge, { status });
    assert.equal(element.textContent.trim().toLowerCase(), status);
    shapes.add(element.querySelector(".mtd-status__shape").getAttribute("d"));
    assert.equal(element.querySelector("svg").namespaceURI, "http://www.w3.org/2000/svg");
  }
  assert.equal(shapes.size, 4);
});

test("a tile holds the raw value, and says in words that it is stale", async () => {
  const { element } = await mount(KpiTile, { id: "cpu", label: "CPU", text: "7 %", value: 7, tUs: 5, pct: 7, stale: true });
  const tile = element.querySelector("[data-testid=kpi]");
  assert.deepEqual([tile.dataset.value, tile.dataset.tUs, tile.dataset.stale], ["7", "5", "true"]);
  assert.match(tile.textContent, /stale/);
});

test("a value of 0 is not an absent one", async () => {
  const zero = await mount(KpiTile, { id: "cpu", label: "CPU", text: "0 %", value: 0, tUs: 5 });
  assert.equal(zero.element.querySelector("[data-testid=kpi]").getAttribute("data-value"), "0");
  const none = await mount(KpiTile, { id: "cpu", label: "CPU", text: "–", value: null });
  assert.equal(none.element.querySelector("[data-testid=kpi]").hasAttribute("data-value"), false);
});

test("health is drawn in SVG and told in words", async () => {
  const segments = [
    { from_us: 0, to_us: 50, status: "up", reason: "" },
    { from_us: 50, to_us: 100, status: "down", reason: "Connection refused" },
  ];
  const { element } = await mount(HealthBar, { segments, fromUs: 0, toUs: 100 });
  const parts = [...element.querySelectorAll("[data-testid=health-segment]")];
  assert.deepEqual(parts.map((part) => part.dataset.status), ["up", "down"]);
  assert.ok(parts.every((part) => part.namespaceURI === "http://www.w3.org/2000/svg"));
  assert.match(element.textContent, /Down: Connection refused/);
  assert.match(element.textContent, /50.00 % available/);
});

test("a change of status is told in words", async () => {
  const change = (position, old, status, message) => (
    { position, t_us: 1, severity: "info", type: "device.x", entity_type: "device", field: "status", old, new: status, message, device: "a" });
  const events = [change(1, "down", "up", "polled in time"), change(2, "up", "down", "connection refused")];
  const { element } = await mount(EventList, { events, nowUs: 2 });
  const texts = [...element.querySelectorAll(".mtd-event__text")].map((one) => one.textContent);
  assert.deepEqual(texts, ["Up again, was down", "Down: connection refused"]);
});

test("what a router says is text, never markup", async () => {
  const message = "<img src=x onerror=alert(1)>";
  const event = { position: 1, t_us: 1, severity: "info", type: "x", device: "a", message };
  const { element } = await mount(EventList, { events: [event], nowUs: 2 });
  assert.equal(element.querySelector("img"), null);
  assert.ok(element.textContent.includes(message));
});

test("who saw an event is told beside it", async () => {
  const evidences = [
    { source: "syslog", t_us: 1e6, after_us: 0, message: "ether1 <b>link down" },
    { source: "trap", t_us: 1.5e6, after_us: 5e5, message: "ether1 is down" },
    { source: "poll", t_us: 3.5e6, after_us: 2.5e6, message: "ether1 is down" },
  ];
  const told = { position: 1, t_us: 1e6, severity: "warning", type: "x", device: "a", message: "ether1 is down" };
  const events = [{ ...told, evidences }, { ...told, position: 2 }];
  const { element } = await mount(EventList, { events, nowUs: 2 });
  const badges = [...element.querySelectorAll("[data-testid=evidence]")];
  assert.deepEqual(badges.map((one) => one.textContent), ["syslog", "trap", "poll"]);
  assert.match(badges[0].title, /^Seen by syslog at [-\d: ]+: ether1 <b>link down$/);
  assert.match(badges[2].title, /2\.5 s after the first: ether1 is down$/);
});

test("interfaces are searched and sorted, inactive ones hidden", async () => {
  const one = (id, name, running) => ({ id, name, label: name, type: "ether", fields: { running } });
  const rows = interfaceRows([one("*1", "ether10", "true"), one("*2", "ether2", "false")], null);
  const props = { rows, sparks: () => ({ rx: [], tx: [] }), isStale: () => false };
  const { element } = await mount(InterfaceTable, props);
  const names = () => [...element.querySelectorAll("[data-testid=interface]")].map((row) => row.dataset.interface);
  assert.deepEqual(names(), ["*2", "*1"]);
  element.querySelector("[data-column=label] button").click();
  await drawn();
  assert.deepEqual(names(), ["*1", "*2"]);
  const box = element.querySelector("input[type=checkbox]");
  box.checked = true;
  box.dispatchEvent(new window.Event("input"));
  await drawn();
  assert.deepEqual(names(), ["*1"]);
});

test("old values of an interface are marked by their own poll group, and the row by its traffic", async () => {
  const of = (metric, v, tUs, group) => [`${metric}|*1`, { metric, instance: "*1", v, tUs, group }];
  const values = new Map([of("iface.rx_bps", 5, 10, "t0"), of("iface.link_downs_total", 2, 90, "t1"), of("iface.rx_errors_total", 1, 20, "t1")]);
  const detail = { get: (metric, id) => values.get(`${metric}|${id}`) ?? null, all: () => [] };
  const rows = interfaceRows([{ id: "*1", name: "ether1", type: "ether", fields: {} }], detail);
  const { element } = await mount(InterfaceTable, { rows, sparks: () => ({ rx: [], tx: [] }), isStale: (tUs) => tUs < 50 });
  assert.equal(element.querySelector("[data-testid=interface]").dataset.stale, "true");
  assert.match(element.querySelector("[data-testid=interface] .mtd-col--label").textContent, /stale/);
  const marked = [...element.querySelectorAll("td.mtd-num.mtd-stale")].map((cell) => cell.dataset.key);
  assert.deepEqual(marked, ["iface.rx_bps", "faults_total"]);
});

test("an interface that is read more seldom tells so, and isn't old before its own time", async () => {
  const of = (instance, tUs, group) => [instance, { metric: "iface.rx_bps", instance, v: 1, tUs, group }];
  const values = new Map([of("*1", 90e6, "t0"), of("*2", 85e6, "t1"), of("*3", 85e6, "t0")]);
  const detail = { get: (metric, id) => (metric === "iface.rx_bps" ? (values.get(id) ?? null) : null), all: () => [] };
  const one = (id, tier, why) => ({ id, name: `ether${id}`, type: "ether", fields: {}, tier, why });
  const rows = interfaceRows([one("*1", "t0", "way of the default route"), one("*2", "t1", "others were chosen"), one("*3", "t0", "pinned")], detail);
  const props = { rows, sparks: () => ({ rx: [], tx: [] }), isStale: (tUs, group) => 91e6 - tUs > { t0: 3e6, t1: 30e6 }[group], intervals: { t0: 1, t1: 10 } };
  const { element } = await mount(InterfaceTable, props);
  const found = Object.fromEntries([...element.querySelectorAll("[data-testid=interface]")].map((row) => [row.dataset.interface, row]));
  assert.deepEqual(["*1", "*2", "*3"].map((id) => found[id].dataset.stale === "true"), [false, false, true]);
  const cells = ["*1", "*2"].map((id) => found[id].querySelector("td.mtd-col--tier"));
  assert.deepEqual(cells.map((cell) => [cell.textContent, cell.title]), [["each 1 s", "way of the default route"], ["each 10 s", "others were chosen"]]);
});

test("what watching costs a router is told by category, with the sum of all", async () => {
  const hourly = (commands, received, rows, busy) => ({ commands_per_h: commands, received_bytes_per_h: received, sent_bytes_per_h: 0, rows_per_h: rows, busy_s_per_h: busy });
  const cost = { counted_s: 600, total: hourly(4000.4, 1e6, 9, 12.34), categories: [{ category: "interfaces", ...hourly(3600, 1e6, 9, 12) }, { category: "mtd", ...hourly(400.4, 0, 0, 0.34) }] };
  const { element } = await mount(DeviceCost, { cost });
  const rows = [...element.querySelectorAll("tbody tr")].map((row) => [...row.querySelectorAll("td")].map((cell) => cell.textContent));
  assert.deepEqual(rows, [
    ["interfaces", "3\u202f600", "977 KiB", "9", "12.0 s"],
    ["mtd", "400", "0 B", "0", "0.3 s"],
    ["all", "4\u202f000", "977 KiB", "9", "12.3 s"],
  ]);
  assert.match(element.textContent, /by the last 10 min/);
});

test("a router's page tells how long its status lasts", () => {
  const { get: since } = Object.getOwnPropertyDescriptor(DevicePage.prototype, "since");
  const nowUs = 1_700_000_000_000_000;
  const told = (sinceUs) => since.call({ row: { since_us: sinceUs }, nowUs });
  assert.equal(told(nowUs - 600e6), "for 10 min");
  assert.equal(told(nowUs - 1e6), "for 1 s");
  assert.equal(told(nowUs - 0.5e6), "for a moment");
  assert.equal(told(nowUs + 5e6), "for a moment");
  assert.equal(told(null), "");
});

function fleet(total) {
  const rows = Array.from({ length: total }, (_, at) => ({ id: `d${at}`, name: `r${at}`, host: "", status: "up", labels: {} }));
  const told = { views: [], opened: [] };
  const props = {
    rows,
    sort: "name",
    descending: false,
    onSort() {},
    onOpen: (id) => told.opened.push(id),
    onView: (ids) => told.views.push(ids),
    values: (id) => (id === "d0" ? { t_us: 1e6, cpu_pct: 0, rx_bps: null } : undefined),
    trend: () => undefined,
    nowUs: 20e6,
    staleAfterS: 5,
    live: true,
    href: (id) => `#/devices/${id}`,
  };
  return { props, told };
}

test("of a thousand routers only those in view are drawn and asked for", async () => {
  const { props, told } = fleet(1000);
  const { element, app } = await mount(DeviceTable, props);
  const drawnRows = element.querySelectorAll("[data-testid=device-row]");
  assert.ok(drawnRows.length > 5 && drawnRows.length < 60, `${drawnRows.length} rows`);
  assert.deepEqual(told.views[0].slice(0, 2), ["d0", "d1"]);
  const first = drawnRows[0];
  assert.equal(first.dataset.stale, "true");
  assert.equal(first.querySelector("[data-key=cpu_pct]").dataset.value, "0");
  assert.equal(first.querySelector("[data-key=rx_bps]").hasAttribute("data-value"), false);
  assert.equal(element.querySelector("table").getAttribute("aria-rowcount"), "1001");
  app.destroy();
});

const pressed = (target, key) => target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));

test("a router that is asked once a minute isn't stale after twenty seconds", async () => {
  const { props } = fleet(2);
  props.rows[0].interval_s = 60;
  const { element, app } = await mount(DeviceTable, props);
  assert.equal(element.querySelector("[data-device=d0]").dataset.stale, "false");
  app.destroy();
});

test("an identity can't turn the address that follows it", async () => {
  const { props } = fleet(1);
  Object.assign(props.rows[0], { identity: "core\u202e", host: "192.0.2.1" });
  const { element, app } = await mount(DeviceTable, props);
  const sub = element.querySelector(".mtd-col--name .mtd-sub");
  assert.equal(sub.textContent, "core · 192.0.2.1");
  assert.deepEqual([...sub.querySelectorAll("bdi")].map((one) => one.textContent), ["core", "192.0.2.1"]);
  app.destroy();
});

test("the keyboard moves the mark and opens, with the focus in the list alone", async () => {
  const { props, told } = fleet(20);
  const { app, element } = await mount(DeviceTable, props);
  const list = element.querySelector("[data-testid=device-list]");
  for (const key of ["j", "ArrowDown", "k", "j"]) pressed(list, key);
  for (const key of ["j", "Enter"]) pressed(document.body, key);
  assert.deepEqual(told.opened, []);
  pressed(list, "Enter");
  assert.deepEqual(told.opened, ["d1"]);
  app.destroy();
});

test("keys that the host passes on reach the list, but for those of a field or a dialog; a list that is gone hears nothing", async () => {
  const { props, told } = fleet(20);
  const keys = new Emitter();
  const { app } = await mount(DeviceTable, { ...props, keys });
  const hand = (event) => keys.emit("key", event);
  document.addEventListener("keydown", hand);
  const dialog = document.createElement("div");
  dialog.className = "modal";
  dialog.innerHTML = "<button></button><input data-keys='Enter'>";
  document.body.append(dialog);
  pressed(document.body, "j");
  pressed(dialog.querySelector("button"), "Enter");
  pressed(dialog.querySelector("input"), "j");
  assert.deepEqual(told.opened, []);
  pressed(dialog.querySelector("input"), "Enter");
  assert.deepEqual(told.opened, ["d0"]);
  app.destroy();
  pressed(document.body, "Enter");
  document.removeEventListener("keydown", hand);
  dialog.remove();
  assert.equal(told.opened.length, 1);
});

test("the focus stays with its router when the order changes", async () => {
  const { props } = fleet(3);
  class Host extends Component {
    static template = xml`<DeviceTable t-props="this.list"/>`;
    static components = { DeviceTable };
    static props = {};

    setup() {
      this.list = props;
      host = this;
    }
  }
  let host = null;
  const { app, element } = await mount(Host, {});
  element.querySelector("[data-device=d0] a").focus();
  host.list = { ...props, rows: [...props.rows].reverse() };
  host.render();
  await drawn();
  const order = [...element.querySelectorAll("[data-testid=device-row]")].map((row) => row.dataset.device);
  assert.deepEqual(order, ["d2", "d1", "d0"]);
  assert.equal(document.activeElement.closest("tr").dataset.device, "d0");
  app.destroy();
});

test("the chart is made by what the host gives, and destroyed with its page", async () => {
  const made = [];
  class Chart {
    constructor(canvas, { options }) {
      Object.assign(this, { canvas, options, data: { datasets: [] }, updates: 0, destroyed: false });
      made.push(this);
    }

    update() {
      this.updates += 1;
    }

    destroy() {
      this.destroyed = true;
    }
  }
  Object.defineProperty(document, "hidden", { value: false, configurable: true });
  const lines = [{ label: "Received", tone: "rx", points: [{ tUs: 1e6, v: 5 }, { tUs: 2e6, v: null }] }];
  const { app } = await mount(TimeChart, { lines, nowUs: 3e6, windowUs: 60e6 }, { loadChart: async () => Chart });
  await drawn();
  assert.deepEqual(made[0].data.datasets[0].data, [{ x: 1000, y: 5 }, { x: 2000, y: null }]);
  assert.equal(made[0].options.scales.x.max, 3000);
  app.destroy();
  assert.equal(made[0].destroyed, true);
});
