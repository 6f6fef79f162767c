/** @odoo-module **/
import { Component } from "@odoo/owl";
import { bitRate } from "../../lib/format.js";
import { peak, sparkPath } from "../../lib/spark.js";
import { word } from "../../lib/words.js";

const WIDTH = 120;
const HEIGHT = 24;

/** Received and sent on one scale, oldest left. */
export class Sparkline extends Component {
  static template = "mikrotik_monitoring.Sparkline";
  static props = { rx: Array, tx: Array, label: { type: String, optional: true } };

  get lines() {
    const { rx, tx } = this.props;
    const top = peak(rx, tx);
    return {
      rx: sparkPath(rx, WIDTH, HEIGHT, top),
      tx: sparkPath(tx, WIDTH, HEIGHT, top),
      text: top > 1 ? word("Traffic of the last 5 minutes, at most %s", bitRate(top)) : word("Traffic of the last 5 minutes"),
    };
  }
}
