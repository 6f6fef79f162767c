import { Component, onMounted, onPatched, onWillUnmount, useRef, useState } from "@odoo/owl";
import { useListener } from "#shared/components/hooks.js";
import { chartOptions } from "#shared/components/time_chart/options.js";
import { dateTime } from "#shared/lib/format.js";
import { ticksOf, tickText } from "./stack.js";

const TICK_PX = 70;

/** Steps over time, what each is made of stacked. */
export class StackChart extends Component {
  static template = "console.StackChart";
  static props = {
    stack: Array, // [{label, values, others}]: see stackOf
    timesUs: Array,
    stepS: Number,
    startUs: Number,
    endUs: Number,
    format: Function,
    label: String,
  };

  setup() {
    this.canvas = useRef("canvas");
    this.state = useState({ failed: false });
    this.chart = null;
    this.gone = false;
    this.drawn = null;
    onMounted(() => this.open());
    onPatched(() => this.draw());
    // The theme may have changed: nobody tells.
    useListener(this.env.clock, "tick", () => this.draw());
    onWillUnmount(() => {
      this.gone = true;
      this.chart?.destroy();
      this.chart = null;
    });
  }

  async open() {
    try {
      const Chart = await this.env.loadChart();
      if (this.gone) return;
      this.chart = new Chart(this.canvas.el, { type: "bar", data: { datasets: [] }, options: this.options() });
      this.draw();
    } catch (error) {
      console.warn("the chart could not be loaded", error);
      this.state.failed = true;
    }
  }

  options() {
    const options = chartOptions((value) => this.props.format(value));
    const { x, y } = options.scales;
    const middleMs = () => this.props.stepS * 500;
    x.afterBuildTicks = (axis) => {
      axis.ticks = ticksOf(axis.min, axis.max, Math.max(2, Math.floor(axis.width / TICK_PX)));
    };
    x.ticks.callback = (value) => tickText(value, x.max - x.min);
    x.stacked = y.stacked = true;
    // Bars are of the time between two ticks: those of categories would stand on them.
    x.offset = x.grid.offset = false;
    delete y.suggestedMax;
    const { tooltip } = options.plugins;
    tooltip.callbacks.title = ([item]) => (item ? dateTime((item.parsed.x - middleMs()) * 1000) : "");
    tooltip.filter = (item) => item.parsed.y > 0;
    return options;
  }

  draw() {
    if (!this.chart || document.hidden) return;
    const { stack, timesUs, stepS, startUs, endUs } = this.props;
    const colours = coloursOf(this.canvas.el, stack);
    const drawn = [stack, startUs, endUs, ...colours.all];
    if (this.drawn && drawn.every((one, place) => one === this.drawn[place]) && drawn.length === this.drawn.length) return;
    this.drawn = drawn;
    const stepMs = stepS * 1000;
    this.chart.data.datasets = stack.map(({ label, values }, place) => ({
      label,
      data: timesUs.map((tUs, at) => ({ x: tUs / 1000 + stepMs / 2, y: values[at] })),
      backgroundColor: colours.all[place],
      barThickness: ({ chart }) => Math.max(1, ((chart.chartArea?.width ?? 0) * stepMs * 1000) / (endUs - startUs)),
    }));
    const { x, y } = this.chart.options.scales;
    [x.min, x.max] = [startUs / 1000, endUs / 1000];
    for (const axis of [x, y]) [axis.ticks.color, axis.grid.color] = [colours.muted, colours.line];
    this.chart.update("none");
  }
}

function coloursOf(element, stack) {
  const style = getComputedStyle(element);
  const colour = (name) => style.getPropertyValue(`--mtd-${name}`).trim();
  return {
    all: stack.map(({ others }, place) => colour(others ? "series-rest" : `series-${place + 1}`)),
    muted: colour("muted"),
    line: colour("line"),
  };
}
