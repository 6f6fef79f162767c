// What one types stays, however the page is drawn meanwhile; what the host changes by itself is shown.
import assert from "node:assert/strict";
import { test } from "node:test";
import { APP, drawn, openPage } from "./kit.mjs";

const { mount } = await openPage();
const { Component, xml } = await import("@odoo/owl");
const { Emitter } = await import("#shared/lib/emitter.js");
const { isTyping } = await import("#shared/components/hooks.js");
const { SearchField } = await import("#shared/components/search_field/search_field.js");
const { InterfaceTable } = await import("#shared/components/interface_table/interface_table.js");
const { TimeField } = await import(`${APP}/pages/flows/time_field.js`);
const { EventsPage } = await import(`${APP}/pages/events/events_page.js`);
const { LogsPage } = await import(`${APP}/pages/logs/logs_page.js`);
const { formatHash, parseHash } = await import(`${APP}/services/router.js`);

/** A page with a field: `takes` says whether it takes up at once what is typed. */
class Host extends Component {
  static template = xml`<p><t t-esc="text"/><SearchField text="text" onInput.bind="onInput" label="'Search'" placeholder="'Words'"/></p>`;
  static components = { SearchField };
  static props = { takes: Boolean, told: Function };
  setup() {
    this.text = "";
    this.heard = [];
    this.props.told(this);
  }
  onInput(text) {
    this.heard.push(text);
    if (this.props.takes) this.text = text;
  }
  show(text) {
    this.text = text;
    this.render();
  }
}

async function hosted(t, takes) {
  let host;
  const { element, app } = await mount(Host, { takes, told: (component) => (host = component) });
  t.after(() => app.destroy());
  return { host, input: element.querySelector("input") };
}

function type(input, text) {
  input.value = text;
  input.dispatchEvent(new window.Event("input", { bubbles: true }));
}

const evaluated = async () => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
};

test("a letter that is typed between the evaluation of a page and its drawing stays", async (t) => {
  const { host, input } = await hosted(t, true);
  type(input, "logge");
  host.render();
  await evaluated(); // with what was typed so far
  type(input, "logged");
  await drawn();
  assert.equal(input.value, "logged");
  assert.deepEqual(host.heard, ["logge", "logged"]);
  host.render();
  await drawn();
  assert.equal(input.value, "logged");
});

test("what the host changes by itself is shown: at first, cleared, and by a step back", async (t) => {
  const { host, input } = await hosted(t, true);
  type(input, "core");
  host.render();
  await drawn();
  host.show("");
  await drawn();
  assert.equal(input.value, "");
  host.show("core");
  await drawn();
  assert.equal(input.value, "core");
  assert.deepEqual(host.heard, ["core"]);
  const other = await mount(SearchField, { text: "edge", onInput() {}, label: "Search", placeholder: "" });
  assert.equal(other.element.querySelector("input").value, "edge");
  other.app.destroy();
});

test("what is typed after a change of the host goes on from that change", async (t) => {
  const { host, input } = await hosted(t, true);
  host.show("core");
  await evaluated();
  assert.equal(input.value, "core");
  type(input, "core-");
  await drawn();
  assert.equal(input.value, "core-");
});

test("what one typed comes back late and changes nothing; what comes after that is news", async (t) => {
  const { host, input } = await hosted(t, false);
  for (const text of ["a", "ab", "abc"]) type(input, text);
  for (const late of ["a", "abc"]) {
    host.show(late);
    await drawn();
    assert.equal(input.value, "abc");
  }
  host.show("ab");
  await drawn();
  assert.equal(input.value, "ab"); // a step back: all of what was typed had come
});

test("what was typed and taken back before the host took it up isn't waited for", async (t) => {
  const { host, input } = await hosted(t, false);
  type(input, "a");
  type(input, "");
  host.show("a");
  await drawn();
  assert.equal(input.value, "a");
});

test("a field has all that its host says of it", async (t) => {
  const props = { text: "", onInput() {}, label: "Search routers", placeholder: "Name", hint: "Press /", class: "wide", main: true, keys: "ArrowDown Enter", testId: "search" };
  const { element, app } = await mount(SearchField, props);
  t.after(() => app.destroy());
  const input = element.querySelector("[data-search]");
  const told = Object.fromEntries([...input.attributes].map(({ name, value }) => [name, value]));
  assert.deepEqual(told, {
    type: "search", class: "mtd-search wide", "data-search": "", "data-keys": "ArrowDown Enter", "data-testid": "search",
    placeholder: "Name", "aria-label": "Search routers", title: "Press /", autocomplete: "off", spellcheck: "false",
  });
  assert.deepEqual(["Enter", "j"].map((key) => isTyping({ target: input, key })), [false, true]);
  const plain = await mount(SearchField, { text: "", onInput() {}, label: "Name", placeholder: "", type: "text" });
  t.after(() => plain.app.destroy());
  assert.deepEqual(plain.element.querySelector("input").getAttributeNames().sort(), ["aria-label", "autocomplete", "class", "placeholder", "spellcheck", "type"]);
  assert.equal(plain.element.querySelector("input").type, "text");
});

test("interfaces are found by words", async (t) => {
  const rows = ["ether1", "ether2"].map((name) => ({ id: name, name, label: name, state: "up", seen: {} }));
  const { element, app } = await mount(InterfaceTable, { rows, sparks: () => ({ rx: [], tx: [] }), isStale: () => false });
  t.after(() => app.destroy());
  type(element.querySelector("input[type=search]"), "ether2");
  await drawn();
  assert.deepEqual([...element.querySelectorAll("[data-testid=interface]")].map((row) => row.dataset.interface), ["ether2"]);
});

test("of a time that is being typed only whole ones are told, and none is taken away", async (t) => {
  const heard = [];
  const { element, app } = await mount(TimeField, { text: "2026-11-25T14:03", onTime: (text) => heard.push(text), testId: "until" });
  t.after(() => app.destroy());
  const input = element.querySelector("[data-testid=until]");
  assert.equal(input.value, "2026-11-25T14:03");
  const change = (text, badInput) => {
    input.value = text;
    Object.defineProperty(input, "validity", { value: { badInput }, configurable: true });
    input.dispatchEvent(new window.Event("change"));
  };
  change("", true);
  change("2026-11-25T14:04", false);
  change("", false);
  assert.deepEqual(heard, ["2026-11-25T14:04", ""]);
});

function envOf(hash) {
  const router = Object.assign(new Emitter(), { route: parseHash(hash) });
  router.replace = (to) => {
    router.route = parseHash(to);
    router.emit("route", router.route);
  };
  return {
    router,
    clock: Object.assign(new Emitter(), { nowUs: () => 2e6 }),
    live: Object.assign(new Emitter(), { phase: "live", lastUs: 2e6, view() {}, leave() {} }),
    http: { get: async () => ({ lines: [], events: [], older: null }) },
  };
}

for (const [name, Page] of [["logs", LogsPage], ["events", EventsPage]]) {
  test(`a tick of the clock takes nothing from who searches in ${name}, and a link is followed`, async (t) => {
    const env = envOf(`#/${name}?q=eth`);
    const { element, app } = await mount(Page, {}, env);
    t.after(() => app.destroy());
    const input = element.querySelector("[data-search]");
    assert.equal(input.value, "eth");
    env.clock.emit("tick");
    await evaluated();
    type(input, "ether");
    await drawn();
    assert.equal(input.value, "ether");
    while (env.router.route.params.q !== "ether") await drawn();
    env.router.replace(formatHash(name, { q: "ppp" }));
    await drawn();
    assert.equal(input.value, "ppp");
  });
}
