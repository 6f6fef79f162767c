/** @odoo-module **/
import { clockTime } from "../../lib/format.js";

const STEPS_S = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600];

/** Ticks at round times of day, as many as the width bears. */
export function timeTicks(minMs, maxMs, most) {
  const span = (maxMs - minMs) / 1000;
  const step = 1000 * (STEPS_S.find((seconds) => span / seconds <= most) ?? 21600);
  const zone = new Date(maxMs).getTimezoneOffset() * 60000;
  const ticks = [];
  for (let at = Math.ceil((minMs - zone) / step) * step + zone; at <= maxMs; at += step) ticks.push({ value: at });
  return ticks;
}

function tickText(ms, span) {
  const text = clockTime(ms * 1000);
  return span > 600000 ? text.slice(0, 5) : text;
}

// Round numbers stand at an axis: "1.50 Gbps" is 1.5 there.
const short = (text) => text.replace(/(\.\d*?)0+ /, "$1 ").replace(". ", " ");

const FONT = { size: 11, family: "system-ui, sans-serif" };

/** Options of Chart.js for lines over time; `format` turns a value into text. */
export function chartOptions(format) {
  return {
    animation: false,
    responsive: true,
    maintainAspectRatio: false,
    parsing: false,
    normalized: true,
    interaction: { mode: "index", intersect: false, axis: "x" },
    layout: { padding: { right: 8 } },
    plugins: {
      legend: { display: false },
      tooltip: {
        animation: false,
        callbacks: {
          title: ([item]) => (item ? clockTime(item.parsed.x * 1000) : ""),
          label: (item) => ` ${item.dataset.label}: ${format(item.parsed.y)}`,
        },
      },
    },
    scales: {
      x: {
        type: "linear",
        afterBuildTicks: (axis) => {
          axis.ticks = timeTicks(axis.min, axis.max, Math.max(2, Math.floor(axis.width / 90)));
        },
        ticks: { font: FONT, autoSkip: false, maxRotation: 0, callback: (value, _, ticks) => tickText(value, ticks.at(-1).value - ticks[0].value) },
        grid: {},
        border: { display: false },
      },
      y: {
        beginAtZero: true,
        suggestedMax: 1000,
        ticks: { font: FONT, maxTicksLimit: 6, callback: (value) => short(format(value)) },
        grid: {},
        border: { display: false },
        // The plot must not jump when a label gets longer.
        afterFit: (axis) => {
          axis.width = Math.max(axis.width, 72);
        },
      },
    },
  };
}

/** The theme's colours, as the styles have them now. */
export function toneColours(element) {
  const style = getComputedStyle(element);
  const colour = (name) => style.getPropertyValue(`--mtd-${name}`).trim();
  return {
    rx: colour("rx"),
    tx: colour("tx"),
    rxFill: colour("rx-fill"),
    txFill: colour("tx-fill"),
    muted: colour("muted"),
    line: colour("line"),
  };
}
