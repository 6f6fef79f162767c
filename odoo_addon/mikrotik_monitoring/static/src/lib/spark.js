/** @odoo-module **/

/** The largest value of several lines, at least 1: all lines of a sparkline share one scale. */
export function peak(...lines) {
  let most = 1;
  for (const line of lines) for (const value of line) if (value !== null && value > most) most = value;
  return most;
}

/** An SVG path through the values, from the left edge to the right; a gap where null stands. */
export function sparkPath(values, width, height, top) {
  if (values.length < 2) return "";
  const step = width / (values.length - 1);
  let path = "";
  let pen = false;
  values.forEach((value, index) => {
    if (value === null || value === undefined) {
      pen = false;
      return;
    }
    const x = (index * step).toFixed(1);
    const y = (height - 1 - (Math.max(0, value) / top) * (height - 2)).toFixed(1);
    // A point between two gaps is drawn as a dot: a line of no length with round ends.
    path += pen ? `L${x} ${y}` : `M${x} ${y}l0 0`;
    pen = true;
  });
  return path;
}
