// The pages of flows and of drops, drawn of what a daemon answers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { APP, drawn, openPage } from "./kit.mjs";

const { mount } = await openPage();
const { Emitter } = await import("#shared/lib/emitter.js");
const { FlowsPage } = await import(`${APP}/pages/flows/flows_page.js`);
const { DropsPage } = await import(`${APP}/pages/drops/drops_page.js`);
const { timeOf } = await import(`${APP}/pages/flows/flow_text.js`);
const { formatHash, parseHash } = await import(`${APP}/services/router.js`);

const NOW = 1_790_000_000_000_000;
const DEVICE = "aaaaaaaa-0000-4000-8000-000000000001";

/** The console around a page. `answers`: by path; `asked` are the paths and arguments. */
function envOf(hash, answers) {
  const router = Object.assign(new Emitter(), { route: parseHash(hash) });
  router.replace = (to) => {
    router.hash = to;
    router.route = parseHash(to);
    router.emit("route", router.route);
  };
  const asked = [];
  return {
    asked,
    router,
    clock: Object.assign(new Emitter(), { nowUs: () => NOW }),
    live: Object.assign(new Emitter(), { phase: "live" }),
    store: Object.assign(new Emitter(), { devices: new Map([[DEVICE, { id: DEVICE, name: "core-1" }]]) }),
    loadChart: () => new Promise(() => {}), // never comes
    http: { get: async (path, params) => (asked.push([path, params]), answers[path] ?? Promise.reject(Object.assign(new Error("no such page"), { status: 404 }))) },
  };
}

const amounts = (n) => ({ octets: n * 1000, packets: n * 10, flows: n });

const OVERVIEW = {
  dimension: "src_address", order: "octets", start_us: NOW - 3.6e9, end_us: NOW, step_s: 60, times_us: [NOW - 6e7],
  series: [{ key: "10.0.0.1", label: "", values: [3000] }], others: [1000],
  rows: [{ key: "10.0.0.1", label: "", ...amounts(3), share: 0.75 }],
  rest: { ...amounts(1), share: 0.25 }, total: amounts(4),
};

const textOf = (element, selector) => [...element.querySelectorAll(selector)].map((one) => one.textContent);

/** Show a page; it is closed when the test ends, however that does. */
async function shown(t, Page, hash, answers) {
  const env = envOf(hash, answers);
  const { element, app } = await mount(Page, {}, env);
  let open = true;
  const close = () => {
    if (open) app.destroy();
    open = false;
  };
  t.after(close);
  await drawn();
  await drawn();
  return { env, element, close };
}

test("the largest, all others and everything are told, and the address keeps what is chosen", async (t) => {
  const { env, element, close } = await shown(t, FlowsPage, `#/flows?seconds=21600&devices=${DEVICE}`, { flows: OVERVIEW });
  assert.deepEqual(env.asked[0], ["flows", { device: [DEVICE], seconds: 21600, end_us: null, dimension: "src_address", order: "octets", limit: 20 }]);
  const [row] = element.querySelectorAll("[data-testid=flow-row]");
  assert.match(row.textContent, /10\.0\.0\.1/);
  assert.match(row.textContent, /75 %/);
  assert.match(row.querySelector("a").getAttribute("href"), /view=search.*address=10\.0\.0\.1/);
  assert.equal(element.querySelector("[data-testid=flow-rest]").dataset.octets, "1000");
  assert.equal(element.querySelector("[data-testid=flow-total]").dataset.flows, "4");
  assert.equal(element.querySelector(".picker summary").textContent, "core-1");
  const select = element.querySelector("[data-testid=dimension]");
  select.value = "protocol";
  select.dispatchEvent(new window.Event("change"));
  await drawn();
  assert.match(env.router.hash, /dimension=protocol/);
  assert.equal(env.asked.at(-1)[1].dimension, "protocol");
  close();
  assert.equal(env.router.size + env.live.size + env.clock.size + env.store.size, 0);
});

test("where no flows came the page teaches how they do", async (t) => {
  const none = { ...OVERVIEW, times_us: [], series: [], others: [], rows: [], rest: { ...amounts(0), share: null }, total: amounts(0) };
  const { element } = await shown(t, FlowsPage, "#/flows", { flows: none });
  const text = element.querySelector("[data-testid=flow-enabling]").textContent;
  for (const said of ["[flows]", "enabled = true", "/ip traffic-flow target add", "active-flow-timeout=1m"]) assert.ok(text.includes(said), said);
  assert.equal(element.querySelector("[data-testid=flow-top]"), null);
});

test("who leaves for another page doesn't read one more of flows", async (t) => {
  const { env } = await shown(t, FlowsPage, "#/flows?view=search", {});
  env.router.replace("#/events");
  await drawn();
  assert.deepEqual(env.asked, []);
});

test("paths say what they are of, and those through interfaces ask for a router first", async (t) => {
  const paths = {
    kind: "conversation", columns: ["Source", "Destination"], from: "sums", order: "octets", start_us: NOW - 3.6e9, end_us: NOW,
    paths: [{ nodes: ["10.0.0.1", "192.0.2.1"], ...amounts(3), share: 0.75 }], rest: { ...amounts(1), share: 0.25 }, total: amounts(4),
  };
  const { env, element } = await shown(t, FlowsPage, "#/flows?view=paths", { "flows/paths": paths });
  assert.match(element.querySelector("[data-testid=paths-note]").textContent, /The 1 largest, 75 % of everything; all others together. From the sums/);
  assert.deepEqual(textOf(element, "[data-testid=path] td").slice(0, 2), ["10.0.0.1", "192.0.2.1"]);
  const before = env.asked.length;
  env.router.replace("#/flows?view=paths&kind=interfaces");
  await drawn();
  assert.match(element.textContent, /Interfaces are those of one router/);
  assert.equal(env.asked.length, before);
  env.router.replace(`#/flows?view=paths&kind=interfaces&devices=${DEVICE}`);
  await drawn();
  assert.deepEqual(env.asked.at(-1), ["flows/paths", { device: [DEVICE], seconds: 3600, end_us: null, kind: "interfaces", order: "octets", limit: 25 }]);
});

const RECORD = {
  received_us: NOW, device_id: DEVICE, device: "core-1", exporter: "198.51.100.1", in_interface: "ether2", out_interface: "",
  values: {
    start_ms: NOW / 1000 - 5000, end_ms: NOW / 1000, src_address: "10.0.0.9", src_port: 5060, dst_address: "2001:db8::1", dst_port: 443,
    post_nat_src_address: "203.0.113.7", post_nat_src_port: 40001, post_nat_dst_address: "2001:db8::1", protocol: 6, octets: 1500, packets: 2, sampling: 100,
    in_interface: 2, out_interface: 9, nat_event: 1,
  },
};

test("records tell both ends before and after the translation, and all that was told", async (t) => {
  const answers = { "flows/records": { records: [RECORD], older: "t", truncated: false } };
  const { env, element } = await shown(t, FlowsPage, "#/flows?view=search", answers);
  assert.deepEqual(env.asked, []); // nobody is looked for yet
  assert.match(element.querySelector("[data-testid=flow-empty]").textContent, /Say an address/);
  env.router.replace(`#/flows?view=search&address=203.0.113.7&port=40001&at=${NOW}&window=10`);
  await drawn();
  await drawn();
  const wanted = { device: [], address: "203.0.113.7", port: "40001", protocol: null, time_us: NOW, window_s: 10, limit: 100, older: null };
  assert.deepEqual(env.asked, [["flows/records", wanted]]);
  const row = element.querySelector("[data-testid=flow-record]");
  assert.equal(row.querySelector("[data-key=source]").textContent, "10.0.0.9:5060→ 203.0.113.7:40001");
  assert.equal(row.querySelector("[data-key=destination]").textContent, "[2001:db8::1]:443");
  assert.match(row.textContent, /TCP \(6\)/);
  assert.match(row.textContent, /1\.46 KiB × 100/);
  assert.match(row.textContent, /ether2 → #9/);
  assert.deepEqual(textOf(row, "dt"), ["exporter", "in_interface", "out_interface", "nat_event"]);
});

test("what one types into the form stays while records come, until the address tells something else", async (t) => {
  const answers = { "flows/records": { records: [RECORD], older: "t", truncated: false } };
  const { env, element } = await shown(t, FlowsPage, `#/flows?view=search&address=10.0.0.9&protocol=17&at=${NOW}&window=600`, answers);
  const form = element.querySelector("[data-testid=flow-form]");
  const field = (name) => form.elements.namedItem(name);
  const fields = () => Object.fromEntries(["address", "port", "protocol", "at", "window"].map((name) => [name, name === "at" ? timeOf(field(name).value) : field(name).value]));
  assert.deepEqual(fields(), { address: "10.0.0.9", port: "", protocol: "17", at: NOW, window: "600" });
  const typed = { address: "192.0.2", port: "44", protocol: "6", at: "2026-01-02T03:04:05", window: "10" };
  for (const [name, value] of Object.entries(typed)) field(name).value = value;
  element.querySelector(".mtd-more").click(); // more records
  await drawn();
  await drawn();
  assert.equal(element.querySelectorAll("[data-testid=flow-record]").length, 2);
  env.router.replace(formatHash("flows", { ...env.router.route.params, devices: DEVICE }));
  await drawn();
  assert.deepEqual(fields(), { ...typed, at: timeOf(typed.at) });
  env.router.replace(`#/flows?view=search&address=10.0.0.8&protocol=999&at=${NOW}&window=7`);
  await drawn();
  assert.deepEqual(fields(), { address: "10.0.0.8", port: "", protocol: "", at: NOW, window: "0" });
});

test("a year that is being typed is no time yet, and the field keeps it", async (t) => {
  const { env, element } = await shown(t, FlowsPage, "#/flows?seconds=3600", { flows: OVERVIEW });
  const input = element.querySelector("[data-testid=until]");
  const type = async (text) => {
    input.value = text;
    input.dispatchEvent(new window.Event("change"));
    await drawn();
    return input.value;
  };
  for (const year of ["0002", "0020", "0202"]) {
    assert.equal(await type(`${year}-11-25T14:03`), `${year}-11-25T14:03`);
    assert.equal(env.router.route.params.until, undefined);
  }
  assert.equal(await type("2026-11-25T14:03"), "2026-11-25T14:03");
  assert.equal(env.router.route.params.until, String(timeOf("2026-11-25T14:03")));
  env.router.replace("#/flows?seconds=3600");
  await drawn();
  assert.equal(input.value, "");
});

test("what an exporter didn't tell is a dash, and no zero", async (t) => {
  const bare = { ...RECORD, device_id: null, device: "", values: { src_address: "10.0.0.9" } };
  const answers = { "flows/records": { records: [bare], older: null, truncated: false } };
  const { element } = await shown(t, FlowsPage, `#/flows?view=search&address=10.0.0.9&at=${NOW}`, answers);
  const cells = textOf(element, "[data-testid=flow-record] td");
  assert.match(cells[0], /^came /);
  assert.deepEqual(cells.slice(1, 8), ["Removed router", "10.0.0.9", "–", "–", "–", "–", "–"]);
});

test("interfaces are told by flows and by counters, and none is made up", async (t) => {
  const answer = {
    start_us: NOW - 3.6e9, end_us: NOW, left_out: 2,
    interfaces: [
      { device_id: DEVICE, device: "core-1", index: 1, name: "ether1", in_octets: 90, out_octets: 10, rx_bytes: 100, tx_bytes: 100, in_ratio: 0.9, out_ratio: 0.1 },
      { device_id: DEVICE, device: "core-1", index: 7, name: "", in_octets: 5, out_octets: 0, rx_bytes: null, tx_bytes: null, in_ratio: null, out_ratio: null },
    ],
  };
  const { element } = await shown(t, FlowsPage, "#/flows?view=interfaces", { "flows/interfaces": answer });
  const [known, unknown] = [...element.querySelectorAll("[data-testid=flow-interface]")].map((row) => textOf(row, "td"));
  assert.deepEqual(known, ["core-1", "ether1", "90 B", "100 B", "90 %", "10 B", "100 B", "10 %"]);
  assert.deepEqual(unknown, ["core-1", "#7", "5 B", "–", "–", "0 B", "–", "–"]);
  assert.match(element.textContent, /2 more interfaces/);
});

// -- drops

const EXPORTER = {
  address: "198.51.100.1", devices: [{ id: DEVICE, name: "core-1" }], malformed: 2, malformed_by: { too_short: 2 },
  ...Object.fromEntries("datagrams stored lost held held_dropped templates_dropped queue_full insane empty bad_times clock_corrected odd_sizes byte_order sampling_told sampling_configured sampling_assumed".split(" ").map((name, n) => [name, n])),
};
const lossesOf = (value) => [{ name: "dropped", label: "Dropped", kind: "lost", value, help: "Received and not stored.", parts: [{ name: "too_fast", value }] }];
const dropsOf = (value, nowUs) => ({
  now_us: nowUs, since_us: NOW - 9e9, collector_id: "here",
  listeners: [{ name: "syslog", label: "Log lines (syslog)", figures: lossesOf(value) }, { name: "flows", label: "Flows", figures: [] }],
  exporters: [EXPORTER], shared: [{ ...EXPORTER, devices: undefined, address: "198.51.100.2", tenants: 2 }],
  too_fast: [{ device_id: DEVICE, device: "core-1", messages: 12, found_by: "syslog" }],
  unknown_senders: [{ address: "192.0.2.9", name: "who", messages: 3, seen_us: NOW, found_by: "flows", shared: false }],
});

test("what is lost is told by listener, exporter, router and sender", async (t) => {
  const answers = { drops: dropsOf(5, NOW) };
  const { env, element, close } = await shown(t, DropsPage, "#/drops", answers);
  const loss = () => textOf(element, "[data-testid=loss][data-name=dropped] td").at(-1).trim();
  assert.equal(loss(), "–"); // what came of late isn't known yet
  answers.drops = dropsOf(9, NOW + 5e6);
  env.live.phase = "lost";
  env.live.emit("phase", "lost");
  env.live.phase = "live";
  env.live.emit("phase", "live");
  await drawn();
  await drawn();
  assert.equal(loss(), "Look 4");
  assert.deepEqual(textOf(element, "[data-name='dropped/too_fast'] td").map((text) => text.trim()), ["too fast", "9", "4"]);
  const [ours, shared] = element.querySelectorAll("[data-testid=exporter]");
  assert.equal(ours.querySelector("[data-key=malformed]").title, "too short: 2");
  assert.match(ours.querySelector("[data-key=device] a").getAttribute("href"), new RegExp(DEVICE));
  assert.equal(shared.querySelector("[data-key=device]").textContent.trim(), "of 2 tenants");
  assert.match(element.querySelector("[data-testid=too-fast]").textContent, /core-1.*log lines.*12/);
  assert.match(element.querySelector("[data-testid=unknown-sender]").textContent, /192\.0\.2\.9.*who.*flows/);
  assert.match(element.textContent, /mtd discovery adopt/);
  close();
  assert.equal(env.live.size + env.clock.size, 0);
});

test("others than super-admins see what is theirs, and are told that there is more", async (t) => {
  const { collector_id: _, shared: __, unknown_senders: ___, ...own } = dropsOf(5, NOW);
  own.listeners = own.listeners.map(({ name, label }) => ({ name, label }));
  const { element } = await shown(t, DropsPage, "#/drops", { drops: own });
  assert.equal(element.querySelectorAll("[data-testid=losses], [data-testid=unknown-sender]").length, 0);
  assert.equal(element.querySelectorAll("[data-testid=exporter]").length, 1);
  assert.match(element.textContent, /shown to super-admins/);
});

test("where nothing listens the page teaches how it does", async (t) => {
  const { element } = await shown(t, DropsPage, "#/drops", { drops: { now_us: NOW, since_us: NOW, listeners: [], exporters: [], too_fast: [] } });
  assert.match(element.querySelector("[data-testid=drops-enabling]").textContent, /\[syslog\]\s+enabled = true\s+\[flows\]\s+enabled = true\s+\[traps\]/);
  assert.equal(element.querySelector("[data-testid=exporters]"), null);
});
