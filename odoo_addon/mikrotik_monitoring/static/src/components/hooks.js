/** @odoo-module **/
import { onMounted, onWillDestroy, onWillUpdateProps, useComponent } from "@odoo/owl";

const REMEMBERED = 64;

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

/**
 * Let the field of the ref `field` keep what is typed into it: what is drawn now may have been thought up before the last
 * letter, so no template binds its value. The prop `text` is put in at first, and when the host changes it by itself.
 * Returns what has to be told each text that the field reports: these may come back at any time, and change nothing.
 */
export function useOwnText(field) {
  let given = useComponent().props.text;
  let reported = [];
  const show = () => {
    if (field.el) field.el.value = given;
  };
  onMounted(show);
  // At once, not when it is drawn: who types from here on goes on from this text.
  onWillUpdateProps(({ text }) => {
    if (text === given) return;
    given = text;
    const place = reported.lastIndexOf(text);
    reported = place < 0 ? [] : reported.slice(place + 1);
    if (place < 0) show();
  });
  return (text) => {
    // A text that the host has already won't come back.
    reported = text === given ? [] : [...reported, text].slice(-REMEMBERED);
  };
}

/** Listen to the document until the component is gone. */
export function useDocument(event, react) {
  document.addEventListener(event, react);
  onWillDestroy(() => document.removeEventListener(event, react));
}
