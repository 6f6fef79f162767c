/** @odoo-module **/
import { seriesId } from "../lib/detail.js";

/**
 * Turns the live messages of one router, each complete in itself, into what `DetailModel` takes: layouts when they
 * change, and values of the poll groups that were read anew.
 */
export class MessageReader {
  constructor() {
    this._groups = new Map(); // poll group to {layout, names, known, tUs}
    this._layouts = 0;
  }

  read(payload) {
    const message = { layouts: [], updates: [] };
    const told = payload.groups ?? [];
    for (const one of told) this._read(one, message);
    const names = new Set(told.map(({ group }) => group));
    for (const group of this._groups.keys()) if (!names.has(group)) this._forget(group, message);
    return message;
  }

  _read({ group, t_us: tUs, scalars = [], metrics = [], rows = [] }, message) {
    const before = this._groups.get(group);
    const known = new Set();
    const cells = [...scalarCells(scalars), ...rowCells(metrics, rows)].filter(({ id, value }) => {
      // A cell without a value is a series that had one, or none at all: a table has cells for all.
      const counts = value !== null || (before?.known.has(id) ?? false);
      if (counts) known.add(id);
      return counts;
    });
    const names = cells.map(({ id, label }) => `${id}|${label}`).join("\n");
    const layout = names === before?.names ? before.layout : (this._layouts += 1);
    if (layout !== before?.layout) message.layouts.push({ layout, group, series: cells.map(({ series }) => series) });
    // Values that were told before aren't new: what is drawn must not count them twice.
    if (layout !== before?.layout || tUs !== before?.tUs) message.updates.push({ layout, t_us: tUs, gauges: cells.map(({ value }) => value) });
    this._groups.set(group, { layout, names, known, tUs });
  }

  // A layout without series: what the group had is gone.
  _forget(group, message) {
    this._groups.delete(group);
    message.layouts.push({ layout: (this._layouts += 1), group, series: [] });
  }
}

function scalarCells(scalars) {
  return scalars.map(([metric, unit, value]) => cell(metric, unit, "", "", value));
}

function rowCells(metrics, rows) {
  return rows.flatMap(([instance, label, values]) => metrics.map(([metric, unit], at) => cell(metric, unit, instance, label, values[at])));
}

function cell(metric, unit, instance, label, value) {
  const series = { key: fullKey(metric, label), metric, instance, label, unit, lane: "gauge" };
  return { id: seriesId(metric, instance), label, series, value: value ?? null };
}

/** The key under which mtd stores an interface's series: "iface.ether1.rx_bps". */
function fullKey(metric, label) {
  return label && metric.startsWith("iface.") ? metric.replace("iface.", () => `iface.${label}.`) : metric;
}
