// Texts of the parts that both hosts show: each can be translated by Odoo, which finds only what `_t` is written around.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { filesBelow } from "../../scripts/console_templates.mjs";
import { SHARED, openPage } from "./kit.mjs";
import "./odoo/kit.mjs";

const { mount } = await openPage();
const { DetailModel } = await import("#shared/lib/detail.js");
const { STATUSES } = await import("#shared/lib/fleet.js");
const { age, elapsed } = await import("#shared/lib/format.js");
const { kpis } = await import("#shared/lib/kpis.js");
const { setTranslator, word } = await import("#shared/lib/words.js");
const { EventList, SEVERITIES } = await import("#shared/components/event_list/event_list.js");
const { InterfaceTable } = await import("#shared/components/interface_table/interface_table.js");
const { StatusBadge } = await import("#shared/components/status_badge/status_badge.js");

const LIST = path.join(SHARED, "odoo/words.js");
const CALL = /(?<![\w.])word\(\s*(?:"([^"]*)"|'([^']*)')/g;

async function filesOfBoth(ending) {
  return [...(await filesBelow(path.join(SHARED, "lib"), ending)), ...(await filesBelow(path.join(SHARED, "components"), ending))];
}

function inAnotherLanguage(t) {
  setTranslator((text, ...values) => `«${text}»${values.length ? JSON.stringify(values) : ""}`);
  t.after(() => setTranslator(null));
}

/** The texts that a file gives to `word`, and how often it is called with anything else. */
function wordsOf(source) {
  const calls = [...source.matchAll(CALL)];
  const all = source.match(/(?<![\w.]|function )word\(/g) ?? [];
  return { words: calls.map(([, double, single]) => double ?? single), others: all.length - calls.length };
}

test("each word that scripts and templates show is among those that Odoo exports, and no other", async () => {
  const used = new Set();
  for (const file of [...(await filesBelow(SHARED, ".js")), ...(await filesBelow(SHARED, ".xml"))]) {
    if (file === LIST || file.endsWith("/lib/words.js")) continue;
    const { words, others } = wordsOf(await readFile(file, "utf8"));
    assert.equal(others, 0, `${file} gives word() something that isn't a plain text: Odoo can't export it`);
    for (const one of words) used.add(one);
  }
  const listed = [...(await readFile(LIST, "utf8")).matchAll(/_t\("([^"]*)"\)/g)].map(([, one]) => one);
  assert.ok(used.size > 80);
  assert.deepEqual(listed, [...used].sort());
});

test("a text that isn't plain is found out", () => {
  assert.deepEqual(wordsOf('word("Up"); word(name); pass(word("%s ago", span)); password("x"); this.word("y")'), { words: ["Up", "%s ago"], others: 1 });
  assert.deepEqual(wordsOf("word('95 % of it')"), { words: ["95 % of it"], others: 0 });
});

test("templates leave no text where Odoo doesn't translate it", async () => {
  for (const file of await filesBelow(SHARED, ".xml")) {
    const source = await readFile(file, "utf8");
    assert.doesNotMatch(source, /\saria-label="|t-attf-(?:aria-label|title|placeholder|alt)="/, file);
    for (const [, expression] of source.matchAll(/\s(?:t-att-[\w-]+|t-esc|label|empty|placeholder|hint)="([^"]*)"/g)) {
      const plain = expression.replace(CALL, "").match(/'[^']*[a-z] [^']*'|'[A-Z][^']*'/);
      assert.equal(plain, null, `${file}: ${expression}`);
    }
  }
});

test("scripts that both hosts show give their texts to word()", async () => {
  for (const file of await filesOfBoth(".js")) {
    const found = (await readFile(file, "utf8")).match(/\b(?:label|hint|sub|means|told|empty|text)(?::| =) "[A-Z][^"]*"/);
    assert.equal(found, null, `${file}: ${found}`);
  }
});

test("no script looks words up while it is loaded: the translations aren't there yet", async (t) => {
  setTranslator((text) => assert.fail(text));
  t.after(() => setTranslator(null));
  const files = (await filesOfBoth(".js")).filter((file) => !file.endsWith("/lib/words.js"));
  for (const file of files) await import(`${pathToFileURL(file)}?anew`);
  assert.ok(files.length > 30);
});

test("without a translator words stay as they are, with their values in place", () => {
  assert.equal(word("95 % of the time"), "95 % of the time");
  assert.equal(word("%s ago", "$& 2 s"), "$& 2 s ago");
  assert.equal(word("%s cores", 0), "0 cores");
  assert.equal(word("%(b)s after %(a)s", { a: "$1", b: 2 }), "2 after $1");
});

test("the host's translator gets texts and values when they are shown, not before", async (t) => {
  const now = { age: age(0, 5e6), statuses: STATUSES.map(({ label, means }) => [label, means]), severities: SEVERITIES.map(({ label }) => label) };
  assert.deepEqual([now.age, now.statuses[0], now.severities[0]], ["5 s ago", ["Down", "The router doesn't answer"], "Critical"]);
  inAnotherLanguage(t);
  assert.equal(age(0, 5e6), '«%s ago»["5 s"]');
  assert.deepEqual([age(5e6, 5e6), age(null, 0), elapsed(0, 500000)], ["«now»", "«never»", ""]);
  for (const { label, means } of STATUSES) assert.match(`${label} ${means}`, /^«.+» «.+»$/);
  for (const { label } of SEVERITIES) assert.match(label, /^«.+»$/);
  assert.ok(kpis(new DetailModel(), null).every(({ label }) => /^«.+»$/.test(label)));
});

test("components show what the translator gives", async (t) => {
  inAnotherLanguage(t);
  const badge = await mount(StatusBadge, { status: "down" });
  assert.equal(badge.element.textContent.trim(), "«Down»");
  assert.equal(badge.element.querySelector("[title]").title, "«The router doesn't answer»");
  const table = await mount(InterfaceTable, { rows: [], sparks: () => ({ rx: [], tx: [] }), isStale: () => false });
  const heads = [...table.element.querySelectorAll("th button span:first-child")].map((one) => one.textContent);
  assert.equal(heads.length, 13);
  for (const one of heads) assert.match(one, /^«.+»$/);
  assert.equal(table.element.querySelector("table").getAttribute("aria-label"), "«Interfaces»");
  const events = await mount(EventList, { events: [], nowUs: 0 });
  assert.equal(events.element.textContent.trim(), "«No events.»");
  for (const { app } of [badge, table, events]) app.destroy();
});

test("Odoo's live service translates by Odoo's own words", async (t) => {
  t.after(() => setTranslator(null));
  const { liveService } = await import("#shared/odoo/live_service.js");
  const { translatedTerms } = await import("@web/core/l10n/translation");
  const bus = { subscribe() {}, addEventListener() {} };
  translatedTerms.set("%s ago", "il y a %s");
  t.after(() => translatedTerms.clear());
  liveService.start({}, { bus_service: bus, orm: {} });
  assert.equal(age(0, 5e6), "il y a 5 s");
});
