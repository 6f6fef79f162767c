/** @odoo-module **/

let translate = fill;

/** Let the host translate: `translator` gets what `word` gets. Without one, words stay as they are. */
export function setTranslator(translator) {
  translate = translator ?? fill;
}

/**
 * A text for people, in their language. It is looked up when it is shown, so no script may call this while it is
 * loaded. A value stands where the text has `%s`; of several, each stands at its name: word("%(a)s of %(b)s", { a, b }).
 */
export function word(text, ...values) {
  return translate(text, ...values);
}

function fill(text, ...values) {
  const [value] = values;
  if (value === undefined) return text;
  if (typeof value !== "object") return text.replace("%s", () => value);
  return text.replace(/%\((\w+)\)s/g, (_, name) => value[name]);
}
