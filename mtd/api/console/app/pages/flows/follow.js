import { onWillUnmount, onWillUpdateProps, useComponent } from "@odoo/owl";
import { useDocument, useListener, useRedraw } from "#shared/components/hooks.js";
import { PageReading } from "#shared/lib/page_reading.js";

const AGAIN_MS = 30000;

/** After how many milliseconds flows of a time are read anew: never, once its end is past. */
export function againMs({ end_us: endUs }, nowUs) {
  return endUs && endUs <= nowUs ? null : AGAIN_MS;
}

/**
 * Read a page for a component, as its props want it, while somebody looks. `wanted(props)` gives the arguments, and
 * after how many milliseconds it is read anew: [arguments or null, ms or null].
 */
export function useFollowed(path, wanted) {
  const component = useComponent();
  const { http, live } = component.env;
  const reading = new PageReading(http, path);
  const look = () => reading.pause(document.hidden || live.phase !== "live");
  useRedraw(reading, "change");
  useListener(live, "phase", look);
  useDocument("visibilitychange", look);
  onWillUpdateProps((props) => reading.want(...wanted(props)));
  onWillUnmount(() => reading.close());
  look();
  reading.want(...wanted(component.props));
  return reading;
}
