// Where the parts of a diagram of paths stand: columns of nodes as high as what goes through them, and bands between.

const GAP = 14;
export const NODE_WIDTH = 12;
export const OTHERS = "All others";

/**
 * Lay out paths from the left to the right. `paths`: [{nodes, value}], `rest`: what they lack of everything. All bands
 * between two columns add up to everything, as do the nodes of each column.
 */
export function layOut({ paths, rest, columns }, { width, height }) {
  const all = rest > 0 ? [...paths, { nodes: columns.map(() => null), value: rest }] : paths;
  const total = all.reduce((sum, { value }) => sum + value, 0);
  if (!total || width <= 0) return { nodes: [], bands: [] };
  const stacks = columns.map((_, column) => stackOf(all, column));
  const most = Math.max(...stacks.map((stack) => stack.length));
  const scale = Math.max(0, height - GAP * (most - 1)) / total;
  const step = (width - NODE_WIDTH) / Math.max(1, columns.length - 1);
  for (const [column, stack] of stacks.entries()) place(stack, column * step, scale);
  const bands = [];
  for (let column = 0; column + 1 < stacks.length; column += 1) {
    bands.push(...bandsOf(all, column, stacks, scale));
  }
  return { nodes: stacks.flat(), bands };
}

function stackOf(paths, column) {
  const sums = new Map();
  for (const { nodes, value } of paths) sums.set(nodes[column], (sums.get(nodes[column]) ?? 0) + value);
  const stack = [...sums].map(([key, value]) => ({ id: `${column}/${key ?? ""}`, column, key, name: key ?? OTHERS, value }));
  // The largest on top, what isn't told one by one at the bottom.
  return stack.sort((a, b) => (a.key === null) - (b.key === null) || b.value - a.value);
}

function place(stack, x, scale) {
  let y = 0;
  for (const node of stack) {
    Object.assign(node, { x, y, width: NODE_WIDTH, height: node.value * scale, sent: y, taken: y });
    y += node.height + GAP;
  }
}

function bandsOf(paths, column, stacks, scale) {
  const sums = new Map();
  for (const { nodes, value } of paths) {
    const key = JSON.stringify([nodes[column], nodes[column + 1]]);
    sums.set(key, (sums.get(key) ?? 0) + value);
  }
  const [from, to] = [stacks[column], stacks[column + 1]].map((stack) => new Map(stack.map((node) => [node.key, node])));
  const found = [...sums].map(([key, value]) => {
    const [source, target] = JSON.parse(key);
    return { id: `${column}/${key}`, source: from.get(source), target: to.get(target), value, width: value * scale };
  });
  // Bands leave a node in the order of where they go, and arrive in that of where they come from.
  for (const band of [...found].sort((a, b) => a.target.y - b.target.y)) {
    band.y0 = band.source.sent + band.width / 2;
    band.source.sent += band.width;
  }
  for (const band of [...found].sort((a, b) => a.source.y - b.source.y)) {
    band.y1 = band.target.taken + band.width / 2;
    band.target.taken += band.width;
  }
  for (const band of found) band.path = pathOf(band);
  return found.sort((a, b) => b.value - a.value);
}

function pathOf({ source, target, y0, y1 }) {
  const [x0, x1] = [source.x + source.width, target.x];
  const middle = (x0 + x1) / 2;
  const text = (value) => value.toFixed(1);
  return `M${text(x0)} ${text(y0)}C${text(middle)} ${text(y0)} ${text(middle)} ${text(y1)} ${text(x1)} ${text(y1)}`;
}
