/** @odoo-module **/
import { onWillDestroy, useComponent } from "@odoo/owl";

/**
 * Call `react` for each message of a topic, from now on until the component is gone. What comes
 * while it is being drawn for the first time counts as well: nobody says it again.
 */
export function useListener(emitter, topic, react) {
  onWillDestroy(emitter.on(topic, react));
}

/** Draw the component again when one of the topics has something new; a hidden page waits until it is seen. */
export function useRedraw(emitter, ...topics) {
  const component = useComponent();
  let due = false;
  const redraw = () => {
    due = document.hidden;
    if (!due) component.render();
  };
  for (const topic of topics) useListener(emitter, topic, redraw);
  useDocument("visibilitychange", () => {
    if (due) redraw();
  });
}

/** Whether a key belongs to who has the focus: a field that is typed in, or a dialog. A field with `data-keys` lets these through. */
export function isTyping(event) {
  if (event.isComposing) return true;
  const { target } = event;
  const lets = target.closest?.("[data-keys]")?.dataset.keys.split(" ") ?? [];
  if (lets.includes(event.key)) return false;
  return Boolean(target.isContentEditable || target.closest?.("input, select, textarea, [contenteditable=true], .modal, [role=dialog]"));
}

/** Listen to the document until the component is gone. */
export function useDocument(event, react) {
  document.addEventListener(event, react);
  onWillDestroy(() => document.removeEventListener(event, react));
}
