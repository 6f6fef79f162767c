/** @odoo-module **/

const natural = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

function absent(value) {
  return value === null || value === undefined || value === "" || Number.isNaN(value);
}

/** Compare two values, texts as people number things (ether2 before ether10). */
export function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return natural.compare(String(a), String(b));
}

/** A sorted copy. What is absent comes last, whichever way it is sorted; equals keep the order of `then`. */
export function sortedBy(rows, key, descending = false, then = null) {
  const keyed = rows.map((row) => [key(row), row]);
  keyed.sort(([a, first], [b, second]) => {
    if (absent(a) || absent(b)) {
      if (absent(a) !== absent(b)) return absent(a) ? 1 : -1;
    } else {
      const order = compare(a, b);
      if (order) return descending ? -order : order;
    }
    return then ? compare(then(first), then(second)) : 0;
  });
  return keyed.map(([, row]) => row);
}
