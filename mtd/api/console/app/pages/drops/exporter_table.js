import { Component } from "@odoo/owl";
import { SortHeader } from "#shared/components/sort_header/sort_header.js";
import { count, plainText } from "#shared/lib/format.js";
import { sortedBy } from "#shared/lib/sorting.js";
import { formatHash } from "../../services/router.js";

const FIRST = 50;

const COLUMNS = [
  { key: "address", label: "Exporter", text: true },
  { key: "device", label: "Router", text: true },
  { key: "datagrams", label: "Datagrams" },
  { key: "stored", label: "Records", hint: "Passed on by its reader" },
  { key: "lost", label: "Lost", bad: true, hint: "On the way, by the exporter's own numbers: flows of NetFlow v5, messages of v9, records of IPFIX, datagrams of sFlow" },
  { key: "malformed", label: "Malformed", bad: true, hint: "Datagrams that can't be read, or not to their end" },
  { key: "held", label: "Waited", hint: "Sets of records that came before their template" },
  { key: "held_dropped", label: "Given up", bad: true, hint: "Of these, such as were given up" },
  { key: "queue_full", label: "Queue full", bad: true, hint: "Records that the reader had no room for" },
  { key: "worker_died", label: "Reader died", bad: true, hint: "Records in the memory of a reader that was killed" },
  { key: "template_conflicts", label: "Conflicts", bad: true, hint: "Templates that got another layout while they were in use: something else sends from that address" },
  { key: "insane", label: "Insane", bad: true, hint: "Records that say more than any link carries: they aren't kept" },
  { key: "empty", label: "Empty", bad: true, hint: "Records of which no field is known: they aren't kept" },
  { key: "bad_times", label: "Bad times", bad: true, hint: "Records whose times can't be: kept without" },
  { key: "clock_corrected", label: "Clock", bad: true, hint: "Records whose times were corrected: the exporter's clock is wrong by more than ten seconds" },
  { key: "odd_sizes", label: "Odd sizes", bad: true, hint: "Records whose packets would be smaller than a header, or larger than a packet can be" },
  { key: "byte_order", label: "Byte order", bad: true, hint: "Records whose octets and packets look like small numbers with their bytes the wrong way round" },
  { key: "sampling_assumed", label: "Sampling assumed", hint: "Records of which nobody told the sampling: taken as each packet. Where that is wrong, set flows.exporters" },
].map((column) => ({ ...column, right: !column.text }));

/** What came of each exporter's datagrams. */
export class ExporterTable extends Component {
  static template = "console.ExporterTable";
  static components = { SortHeader };
  static props = { exporters: Array, shared: Array };

  setup() {
    this.columns = COLUMNS;
    this.order = { sort: "datagrams", descending: true };
    this.all = false;
    this.count = count;
  }

  get rows() {
    const { sort, descending } = this.order;
    const rows = [...this.props.exporters.map((one) => ({ ...one, device: namesOf(one.devices) })), ...this.props.shared.map((one) => ({ ...one, devices: [], device: `of ${one.tenants} tenants`, shared: true }))];
    const sorted = sortedBy(rows, (row) => row[sort], descending, (row) => row.address);
    return { shown: this.all ? sorted : sorted.slice(0, FIRST), total: sorted.length };
  }

  isBad(column, row) {
    return Boolean(column.bad) && row[column.key] > 0;
  }

  hint(column, row) {
    if (column.key !== "malformed") return undefined;
    return Object.entries(row.malformed_by).map(([reason, number]) => `${reason.replaceAll("_", " ")}: ${count(number)}`).join(", ") || undefined;
  }

  href(row) {
    return row.devices.length === 1 ? formatHash(`devices/${encodeURIComponent(row.devices[0].id)}`) : null;
  }

  sortBy(sort) {
    const descending = this.order.sort === sort ? !this.order.descending : !COLUMNS.find(({ key }) => key === sort).text;
    this.order = { sort, descending };
    this.render();
  }

  showAll() {
    this.all = true;
    this.render();
  }
}

function namesOf(devices) {
  return devices.map(({ name }) => plainText(name)).join(", ");
}
