/** @odoo-module **/
import { Component, onMounted, onPatched, onWillUnmount, useRef, useState } from "@odoo/owl";
import { bitRate } from "../../lib/format.js";
import { word } from "../../lib/words.js";
import { chartOptions, toneColours } from "./options.js";

/**
 * Lines over time that move with it. Chart.js comes from `env.loadChart()`, because each host loads
 * it in its own way. Each redraw of the parent brings the points anew.
 */
export class TimeChart extends Component {
  static template = "mikrotik_monitoring.TimeChart";
  static props = {
    lines: Array, // [{label, tone, points: [{tUs, v}]}]
    nowUs: Number,
    windowUs: Number,
    format: { type: Function, optional: true },
    label: { type: String, optional: true },
  };

  word = word;

  setup() {
    this.canvas = useRef("canvas");
    this.state = useState({ failed: false });
    this.chart = null;
    this.gone = false;
    onMounted(() => this.open());
    onPatched(() => this.draw());
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
      const options = chartOptions(this.props.format ?? bitRate);
      this.chart = new Chart(this.canvas.el, { type: "line", data: { datasets: [] }, options });
      this.draw();
    } catch (error) {
      console.warn("the chart could not be loaded", error);
      this.state.failed = true;
    }
  }

  draw() {
    if (!this.chart || document.hidden) return;
    const { lines, nowUs, windowUs } = this.props;
    const colours = toneColours(this.canvas.el);
    lines.forEach((line, index) => {
      const dataset = (this.chart.data.datasets[index] ??= { pointRadius: 0, borderWidth: 1.75, spanGaps: false });
      dataset.label = line.label;
      dataset.data = line.points.map(({ tUs, v }) => ({ x: tUs / 1000, y: v }));
      dataset.borderColor = colours[line.tone];
      dataset.backgroundColor = colours[`${line.tone}Fill`];
      dataset.fill = "origin";
    });
    this.chart.data.datasets.length = lines.length;
    const { x, y } = this.chart.options.scales;
    [x.min, x.max] = [(nowUs - windowUs) / 1000, nowUs / 1000];
    for (const axis of [x, y]) [axis.ticks.color, axis.grid.color] = [colours.muted, colours.line];
    this.chart.update("none");
  }
}
