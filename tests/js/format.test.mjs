import assert from "node:assert/strict";
import { test } from "node:test";
import * as format from "#shared/lib/format.js";

test("what isn't known is a dash, and 0 is 0", () => {
  for (const text of [format.bitRate, format.bytes, format.percent, format.count, format.perSecond, format.duration]) {
    assert.equal(text(null), "–");
    assert.equal(text(undefined), "–");
  }
  assert.equal(format.bitRate(0), "0 bps");
  assert.equal(format.percent(0), "0 %");
  assert.equal(format.perSecond(0), "0/s");
});

test("bit rates step by a thousand", () => {
  assert.equal(format.bitRate(999), "999 bps");
  assert.equal(format.bitRate(1500), "1.50 kbps");
  assert.equal(format.bitRate(12_345_678), "12.3 Mbps");
  assert.equal(format.bitRate(999_950_000), "1.00 Gbps");
  assert.equal(format.bitRate(1e10), "10 Gbps");
});

test("bytes step by 1024, beyond what a number holds", () => {
  assert.equal(format.bytes(1023), "1023 B");
  assert.equal(format.bytes(1.5 * 2 ** 30), "1.50 GiB");
  assert.equal(format.bytes("18446744073709551615"), "16 EiB");
});

test("counters above 2^53 stay exact", () => {
  const exact = format.count("18446744073709551615");
  assert.equal(exact.replaceAll("\u202f", ""), "18446744073709551615");
  assert.equal(format.count("9007199254740993").replaceAll("\u202f", ""), "9007199254740993");
  assert.equal(format.count(1234567), "1\u202f234\u202f567");
});

test("durations have two parts", () => {
  assert.equal(format.duration(12), "12 s");
  assert.equal(format.duration(192), "3 min 12 s");
  assert.equal(format.duration(4 * 3600 + 180), "4 h 03 min");
  assert.equal(format.duration(12 * 86400 + 4 * 3600 + 59), "12 d 4 h");
});

test("ages count in one unit, and never into the future", () => {
  const now = 1_700_000_000_000_000;
  assert.equal(format.age(now + 5e6, now), "now");
  assert.equal(format.age(now - 2e6, now), "2 s ago");
  assert.equal(format.age(now - 600e6, now), "10 min ago");
  assert.equal(format.age(now - 7200e6, now), "2 h ago");
  assert.equal(format.age(now - 3 * 86400e6, now), "3 d ago");
  assert.equal(format.age(null, now), "never");
  assert.equal(format.elapsed(now - 119e6, now), "119 s");
  assert.equal(format.elapsed(now - 0.9e6, now), "");
});

test("units of the catalogue have a form each, unknown ones are named", () => {
  assert.equal(format.byUnit(46.2, "celsius"), "46 °C");
  assert.equal(format.byUnit(0.4, "seconds"), "0.4 s");
  assert.equal(format.byUnit(-7.25, "dbm"), "-7.3 dBm");
  assert.equal(format.byUnit(3, "moon_cycles"), "3 moon cycles");
});

test("what rounds to nothing has no sign", () => {
  assert.equal(format.byUnit(-0.4, "celsius"), "0 °C");
  assert.equal(format.byUnit(-0.001, "ratio"), "0.00 ratio");
  assert.equal(format.byUnit(-1.6, "celsius"), "-2 °C");
});

test("a router's text can't turn the direction of others, nor end a line", () => {
  assert.equal(format.plainText("core\u202e1.2.0.291\u2066 \u200f\u0007x\ny"), "core1.2.0.291  x y");
  assert.equal(format.plainText("Müller ‑ مكتب"), "Müller ‑ مكتب");
  assert.equal(format.plainText(null), "");
});
