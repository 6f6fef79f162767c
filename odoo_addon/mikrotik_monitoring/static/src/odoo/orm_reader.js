/** @odoo-module **/
import { _t } from "@web/core/l10n/translation";
import { ConnectionLostError } from "@web/core/network/rpc_service";

const DEVICE = "mikrotik.device";
const CALLS = {
  history: (orm, id, { metric, seconds, points }) => orm.call(DEVICE, "live_history", [[id], metric, seconds], { points }),
  health: (orm, id, { seconds }) => orm.call(DEVICE, "live_health", [[id]], { seconds }),
};
const FOR_GOOD = { "odoo.exceptions.AccessError": 403, "odoo.exceptions.MissingError": 404, "odoo.http.SessionExpiredException": 401 };
const WAIT_MS = [2000, 4000, 8000, 16000, 32000, 60000];

/** What Odoo answered instead of what was asked for, in words for people; `status` as HTTP has it. */
export class Refusal extends Error {
  constructor(status, message, hint = "") {
    super(message);
    this.status = status;
    this.hint = hint;
  }
}

export function refusalOf(error) {
  if (error instanceof ConnectionLostError) return new Refusal(0, _t("Odoo doesn't answer."), _t("The page tries again by itself."));
  const name = error.exceptionName ?? "";
  const [message, ...more] = (error.data?.message || error.message).split("\n");
  const hint = more.join(" ");
  if (name === "odoo.http.SessionExpiredException") return new Refusal(401, _t("Your session has ended."), _t("Log in again."));
  if (name in FOR_GOOD) return new Refusal(FOR_GOOD[name], message, hint);
  if (name === "odoo.exceptions.UserError") return new Refusal(503, message, hint);
  return new Refusal(500, _t("Odoo could not answer."), _t("Its log tells why."));
}

/** How long to wait before a question is asked again: each one holds a worker of Odoo. */
export function patientMs(attempt, random = Math.random) {
  return WAIT_MS[Math.min(attempt, WAIT_MS.length - 1)] * (0.75 + 0.5 * random());
}

/** Answers of Odoo about one router, by the names that the console's pages have. */
export class OrmReader {
  constructor(orm, id) {
    this._orm = orm.silent;
    this._id = id;
  }

  async get(path, params, signal) {
    return this.ask((orm, id) => CALLS[path](orm, id, params), signal);
  }

  /** Ask Odoo, and raise a Refusal where it fails. */
  async ask(call, signal = null) {
    const asked = call(this._orm, this._id);
    signal?.addEventListener("abort", () => asked.abort?.());
    try {
      return await asked;
    } catch (error) {
      throw refusalOf(error);
    }
  }
}
