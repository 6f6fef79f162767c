/** @odoo-module **/
import { onWillDestroy, useEnv, useSubEnv } from "@odoo/owl";
import { useRedraw } from "../components/hooks.js";

/** The live view of this tab, with what the shared components look for in their environment. */
export function useLiveHub() {
  const hub = useEnv().services.mikrotik_live;
  useSubEnv({ clock: hub.clock, loadChart: hub.loadChart });
  return hub;
}

/** Look at a router for as long as the component is there; it is drawn anew when something moved. */
export function useFeed(id) {
  const hub = useLiveHub();
  const feed = hub.watch(id);
  onWillDestroy(() => hub.release(id));
  useSubEnv({ live: feed });
  useRedraw(feed, "change");
  useRedraw(hub.clock, "tick");
  return { hub, feed };
}
