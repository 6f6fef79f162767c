import { Component } from "@odoo/owl";
import { dateTime, percent } from "#shared/lib/format.js";
import { formatHash } from "../../services/router.js";
import { FlowEnabling } from "./flow_enabling.js";
import { amountText, dimensionLabel, DIMENSIONS, keyText, ORDERS, paceOf, paceText } from "./flow_text.js";
import { againMs, useFollowed } from "./follow.js";
import { SHOWN, stackOf } from "./stack.js";
import { StackChart } from "./stack_chart.js";

const FEW = 20;
const MANY = 200;
const ADDRESSES = new Set(["src_address", "dst_address"]);

/** The largest of a dimension, and how they went over time. */
export class FlowTop extends Component {
  static template = "console.FlowTop";
  static components = { FlowEnabling, StackChart };
  static props = { asked: Object, params: Object, onKeep: Function };

  setup() {
    this.dimensions = DIMENSIONS;
    this.orders = ORDERS;
    this.reading = useFollowed("flows", (props) => [this.wanted(props), againMs(props.asked, this.env.clock.nowUs())]);
    this.format = (value) => paceText(value, this.answer?.order ?? this.order);
    this.amount = amountText;
    this.percent = (share) => percent(share === null ? null : share * 100);
    this.drawn = { answer: null, stack: [] };
  }

  wanted({ asked, params }) {
    return { ...asked, dimension: dimensionOf(params), order: orderOf(params), limit: params.all ? MANY : FEW };
  }

  get dimension() {
    return dimensionOf(this.props.params);
  }

  get order() {
    return orderOf(this.props.params);
  }

  get answer() {
    return this.reading.answer;
  }

  get stack() {
    const { answer } = this;
    if (this.drawn.answer !== answer) {
      const stack = stackOf(answer, (one) => keyText(answer.dimension, one), (value) => paceOf(value, answer.order, answer.step_s));
      this.drawn = { answer, stack };
    }
    return this.drawn.stack;
  }

  get rows() {
    const { answer } = this;
    return answer.rows.map((row, place) => ({
      ...row,
      text: keyText(answer.dimension, row),
      tone: place < SHOWN ? place + 1 : "rest",
      href: this.searchOf(row),
    }));
  }

  /** Where its records are found: of an address, in the last hour that is shown. */
  searchOf({ key }) {
    const { answer } = this;
    if (!ADDRESSES.has(answer.dimension)) return null;
    const at = answer.end_us - 1_800_000_000;
    return formatHash("flows", { view: "search", devices: this.props.params.devices, address: key, at, window: 1800 });
  }

  onDimension(event) {
    this.props.onKeep({ dimension: event.target.value, all: "" });
  }

  onOrder(event) {
    this.props.onKeep({ order: event.target.value });
  }

  get title() {
    return dimensionLabel(this.dimension);
  }

  get span() {
    const { start_us: startUs, end_us: endUs } = this.answer;
    return `${dateTime(startUs).slice(0, 16)} to ${dateTime(endUs).slice(0, 16)}`;
  }

  get mixed() {
    return this.dimension.endsWith("_interface") && this.props.asked.device.length !== 1;
  }

  get mayShowMore() {
    return !this.props.params.all && this.answer.rows.length === FEW && this.answer.rest.flows > 0;
  }
}

function dimensionOf({ dimension }) {
  return DIMENSIONS.some(({ key }) => key === dimension) ? dimension : DIMENSIONS[0].key;
}

function orderOf({ order }) {
  return ORDERS.some(({ key }) => key === order) ? order : ORDERS[0].key;
}
