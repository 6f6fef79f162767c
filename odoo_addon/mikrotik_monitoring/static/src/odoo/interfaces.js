/** @odoo-module **/
import { _t } from "@web/core/l10n/translation";
import { isStale, staleAfterS } from "../lib/freshness.js";
import { interfaceRows } from "../lib/interfaces.js";
import { STALE_AFTER_S } from "../lib/live_values.js";
import { useFeed } from "./hooks.js";

/** A router that is looked at, and what its table of interfaces is made of. */
export function useInterfaces(id) {
  const { hub, feed } = useFeed(id);
  const live = {
    feed,
    get nowUs() {
      return hub.clock.nowUs();
    },
    get rows() {
      return interfaceRows(feed.interfaces, feed.model);
    },
    get intervals() {
      return feed.device?.intervals_s;
    },
    /** What the table says without interfaces, if it isn't known yet whether there are any. */
    get empty() {
      return feed.device ? undefined : _t("Waiting for values…");
    },
    isStale(tUs, group) {
      return feed.phase !== "live" || isStale(tUs, live.nowUs, staleAfterS(group, live.intervals, STALE_AFTER_S));
    },
    sparks: (instance) => feed.sparks(instance, live.nowUs),
  };
  return live;
}
