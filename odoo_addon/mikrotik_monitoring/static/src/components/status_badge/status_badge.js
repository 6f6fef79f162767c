/** @odoo-module **/
import { Component } from "@odoo/owl";
import { STATUSES, statusLabel } from "../../lib/fleet.js";

// Each status has a shape of its own: colour alone tells nothing to many eyes.
const ROUND = "M8 1.2a6.8 6.8 0 1 0 0 13.6A6.8 6.8 0 0 0 8 1.2z";
const SHAPES = {
  up: [ROUND, "M4.9 8.3l2.2 2.2 4.1-4.6"],
  degraded: ["M8 .9l7.4 13.6H.6z", "M8 5.6v4.2M8 12v.2"],
  down: ["M4.9.9h6.2l4 4v6.2l-4 4H4.9l-4-4V4.9z", "M5.4 5.4l5.2 5.2M10.6 5.4l-5.2 5.2"],
  unknown: ["M8 .4L15.6 8 8 15.6.4 8z", "M6.3 6.3a1.7 1.7 0 1 1 2.4 1.6c-.5.2-.7.5-.7 1M8 11.2v.2"],
  disabled: [ROUND, "M4.8 8h6.4"],
};

export class StatusBadge extends Component {
  static template = "mikrotik_monitoring.StatusBadge";
  static props = { status: String, large: { type: Boolean, optional: true } };

  get status() {
    return this.props.status in SHAPES ? this.props.status : "unknown";
  }

  get label() {
    return statusLabel(this.status);
  }

  get means() {
    return STATUSES.find(({ key }) => key === this.status).means;
  }

  get shape() {
    return SHAPES[this.status][0];
  }

  get mark() {
    return SHAPES[this.status][1];
  }
}
