/** @odoo-module **/

export const MARGIN = 8;

/**
 * Which rows of a long list are drawn: those in view and some on either side.
 * Returns {first, last, above, below}: rows [first, last), and the height left out above and below.
 */
export function rowsInView({ scrollTop, viewHeight, rowHeight, total, margin = MARGIN }) {
  const most = Math.max(0, total * rowHeight - viewHeight);
  const top = Math.min(Math.max(0, scrollTop), most);
  const first = Math.max(0, Math.floor(top / rowHeight) - margin);
  const last = Math.min(total, Math.ceil((top + viewHeight) / rowHeight) + margin);
  return { first, last, above: first * rowHeight, below: (total - last) * rowHeight };
}

/** Where to scroll so that a row is wholly in view; null if it is already. */
export function scrollToShow({ row, scrollTop, viewHeight, rowHeight }) {
  const top = row * rowHeight;
  if (top < scrollTop) return top;
  if (top + rowHeight > scrollTop + viewHeight) return top + rowHeight - viewHeight;
  return null;
}
