import assert from "node:assert/strict";
import { test } from "node:test";
import { LogLines } from "../../mtd/api/console/app/services/log_lines.js";

const line = (t) => ({ position: String(t).padStart(6, "0"), t_us: t });
const page = (from, to) => Array.from({ length: from - to + 1 }, (_, n) => line(from - n));
const times = (log) => log.lines.map(({ t_us: t }) => t);

/** A daemon that answers what it is told to, in turn; `asked` are the arguments. */
class Daemon {
  constructor(...answers) {
    this.answers = answers;
    this.asked = [];
  }

  get(path, params) {
    this.asked.push(params);
    const answer = this.answers.shift();
    return answer instanceof Promise ? answer : Promise.resolve(answer ?? { lines: [], older: null });
  }
}

const settled = async (log) => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  return log;
};

test("newer lines come on top, late ones where they belong, and none twice", async () => {
  const daemon = new Daemon({ lines: page(10, 8), older: null }, { lines: [line(12), line(9.5), line(10)], older: null });
  const log = new LogLines(daemon);
  log.want({});
  await settled(log);
  assert.deepEqual(times(log), [10, 9, 8]);
  await log._newest.now();
  assert.deepEqual(times(log), [12, 10, 9.5, 9, 8]);
  assert.equal(daemon.asked[0].seconds, undefined);
  assert.equal(daemon.asked[1].seconds, 600);
  log.close();
});

test("an answer with older lines is left if meanwhile the list is another one", async () => {
  let answer;
  const slow = new Promise((resolve) => (answer = resolve));
  const daemon = new Daemon({ lines: page(200, 101), older: "101" }, slow, { lines: page(500, 401), older: "401" });
  const log = new LogLines(daemon);
  log.want({});
  await settled(log);
  const reading = log.older();
  await log._newest.now();
  assert.equal(log.before, "401");
  answer({ lines: page(100, 1), older: null });
  await reading;
  assert.equal(log.lines.length, 100);
  assert.equal(log.before, "401");
  log.close();
});

test("who asked for older lines keeps them", async () => {
  const answers = [{ lines: page(5000, 4901), older: "x" }];
  for (let from = 4900; from > 2700; from -= 100) answers.push({ lines: page(from, from - 99), older: "x" });
  const log = new LogLines(new Daemon(...answers, { lines: page(5001, 4902), older: "x" }));
  log.want({});
  await settled(log);
  while (log.lines.length < 2300) await log.older();
  await log._newest.now();
  assert.equal(log.lines.length, 2301);
  log.close();
});

test("what is refused isn't asked for again, and what holds still takes nothing", async () => {
  const refused = Object.assign(new Error("no"), { status: 400 });
  const daemon = { asked: 0, get: () => ((daemon.asked += 1), Promise.reject(refused)) };
  const log = new LogLines(daemon);
  log.want({});
  await settled(log);
  assert.equal(log.error, refused);
  assert.equal(log._timer, null);
  log.close();
  const still = new LogLines(new Daemon({ lines: page(3, 1), older: null }, { lines: page(4, 1), older: null }));
  still.want({});
  await settled(still);
  still.pause(true);
  await still._newest.now();
  assert.deepEqual(times(still), [3, 2, 1]);
  still.close();
});
