import { Component, onMounted, onPatched, onWillUnmount, useRef } from "@odoo/owl";
import { dateTime, percent, plainText } from "#shared/lib/format.js";
import { FlowEnabling } from "./flow_enabling.js";
import { amountText, ORDERS } from "./flow_text.js";
import { againMs, useFollowed } from "./follow.js";
import { layOut, NODE_WIDTH } from "./sankey.js";

const PATHS = 25;
const KINDS = [
  { key: "conversation", label: "Source and destination" },
  { key: "service", label: "Source, protocol and port, destination" },
  { key: "interfaces", label: "Interface in, conversation, interface out" },
];
const ROW_PX = 24;
const LETTER_PX = 7;
const LABEL_GAP = 6;

/** Where flows go: the largest paths as bands, and as a table. */
export class FlowPaths extends Component {
  static template = "console.FlowPaths";
  static components = { FlowEnabling };
  static props = { asked: Object, params: Object, onKeep: Function };

  setup() {
    this.kinds = KINDS;
    this.orders = ORDERS;
    this.box = useRef("box");
    this.width = 0;
    this.reading = useFollowed("flows/paths", (props) => this.wanted(props));
    this.amount = amountText;
    this.percent = (share) => percent(share === null ? null : share * 100);
    this.observer = new ResizeObserver(() => this.measure());
    this.watched = null;
    onMounted(() => this.measure());
    onPatched(() => this.measure());
    onWillUnmount(() => this.observer.disconnect());
  }

  // What the records have to be looked through for isn't asked for again and again.
  wanted({ asked, params }) {
    const kind = kindOf(params);
    if (kind === "interfaces" && asked.device.length !== 1) return [null, null];
    const again = kind === "conversation" ? againMs(asked, this.env.clock.nowUs()) : null;
    return [{ ...asked, kind, order: orderOf(params), limit: PATHS }, again];
  }

  get kind() {
    return kindOf(this.props.params);
  }

  get order() {
    return orderOf(this.props.params);
  }

  get answer() {
    return this.reading.answer;
  }

  get needsOne() {
    return this.kind === "interfaces" && this.props.asked.device.length !== 1;
  }

  onKind(event) {
    this.props.onKeep({ kind: event.target.value });
  }

  onOrder(event) {
    this.props.onKeep({ order: event.target.value });
  }

  get note() {
    const { paths, rest, start_us: startUs, end_us: endUs, from } = this.answer;
    const span = `${dateTime(startUs).slice(0, 16)} to ${dateTime(endUs).slice(0, 16)}`;
    const told = rest.share === null ? "" : `, ${percent((1 - rest.share) * 100)} of everything`;
    const source = from === "records" ? "Added up from the records, of six hours at most, that tell of addresses." : "From the sums of conversations.";
    return `${span}. The ${paths.length} largest${told}; all others together. ${source}`;
  }

  /** Draw anew when there is more or less room. */
  measure() {
    const { el } = this.box;
    if (el !== this.watched) {
      this.observer.disconnect();
      if (el) this.observer.observe(el);
      this.watched = el;
    }
    const width = el?.clientWidth ?? 0;
    if (width === this.width) return;
    this.width = width;
    this.render();
  }

  /** Paths with names as they may be shown: those of interfaces are what routers say. */
  get paths() {
    return this.answer.paths.map((path) => ({ ...path, nodes: path.nodes.map(plainText) }));
  }

  get diagram() {
    const { answer, width } = this;
    const value = (one) => Number(one[answer.order]);
    const paths = this.paths.map((path) => ({ nodes: path.nodes, value: value(path) }));
    const different = answer.columns.map((_, column) => new Set(paths.map(({ nodes }) => nodes[column])).size + 1);
    const height = Math.max(240, Math.max(...different) * ROW_PX);
    const { nodes, bands } = layOut({ paths, rest: value(answer.rest), columns: answer.columns }, { width, height });
    return { height, bands: bands.map((band) => this.band(band)), nodes: nodes.map((node) => this.node(node)) };
  }

  band(band) {
    const text = `${band.source.name} to ${band.target.name}: ${amountText(band.value, this.answer.order)}`;
    return { ...band, text, others: band.source.key === null && band.target.key === null };
  }

  node(node) {
    const { length } = this.answer.columns;
    const last = node.column === length - 1;
    // Names stand between two columns; before the last one there are those of both.
    const room = (this.width - NODE_WIDTH) / (length - 1) - NODE_WIDTH - 3 * LABEL_GAP;
    const letters = Math.max(4, Math.floor((node.column < length - 2 ? room : room / 2) / LETTER_PX));
    return {
      ...node,
      short: node.name.length > letters ? `${node.name.slice(0, letters - 1)}…` : node.name,
      text: `${node.name}: ${amountText(node.value, this.answer.order)}`,
      labelX: last ? node.x - LABEL_GAP : node.x + node.width + LABEL_GAP,
      anchor: last ? "end" : "start",
      others: node.key === null,
    };
  }
}

function kindOf({ kind }) {
  return KINDS.some(({ key }) => key === kind) ? kind : KINDS[0].key;
}

function orderOf({ order }) {
  return ORDERS.some(({ key }) => key === order) ? order : ORDERS[0].key;
}
