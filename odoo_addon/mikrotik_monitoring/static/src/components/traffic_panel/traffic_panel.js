/** @odoo-module **/
import { Component, onWillUnmount, onWillUpdateProps } from "@odoo/owl";
import { useListener } from "../hooks.js";
import { TimeChart } from "../time_chart/time_chart.js";
import { bitRate, duration } from "../../lib/format.js";
import { sumNewest } from "../../lib/interfaces.js";
import { summary } from "../../lib/series.js";
import { TrafficFeed } from "../../lib/traffic_feed.js";
import { word } from "../../lib/words.js";

const METRICS = { rx: "iface.rx_bps", tx: "iface.tx_bps" };
const MEANS_FROM_US = 4e6; // points this far apart are told to be means

export const WINDOWS = [
  { seconds: 60, label: "1 min" },
  { seconds: 300, label: "5 min" },
  { seconds: 900, label: "15 min" },
  { seconds: 3600, label: "1 h" },
  { seconds: 21600, label: "6 h" },
  { seconds: 86400, label: "24 h" },
];

/** The moving chart of a router's traffic: all physical ports, or one interface. */
export class TrafficPanel extends Component {
  static template = "mikrotik_monitoring.TrafficPanel";
  static components = { TimeChart };
  static props = {
    source: Object,
    chosen: String, // id of an interface, or "" for all ports
    onChoose: Function,
    interfaces: Array,
    isStale: Function, // (tUs, poll group) => boolean
    nowUs: Number,
  };

  word = word;

  setup() {
    this.windows = WINDOWS;
    this.seconds = 300;
    this.feed = new TrafficFeed(this.props.source, () => this.render());
    useListener(this.props.source, "update", (update) => this.feed.push(update));
    useListener(this.env.live, "phase", (phase) => phase === "live" && this.feed.read());
    onWillUpdateProps((props) => this.follow(props));
    onWillUnmount(() => this.feed.close());
    this.follow(this.props);
  }

  follow(props) {
    this.feed.show({ instances: this.instancesOf(props), seconds: this.seconds });
  }

  // Before the inventory is read nobody knows which interfaces are ports: a sum of all would count traffic twice.
  instancesOf({ chosen, interfaces }) {
    return chosen ? [chosen] : interfaces.filter(({ physical }) => physical).map(({ id }) => id);
  }

  get note() {
    const { source } = this.props;
    if (this.instancesOf(this.props).length) return "";
    if (!source.device) return word("Reading which ports the router has…");
    return word("No physical ports are known of this router. Choose an interface to see its traffic.");
  }

  choose(seconds) {
    this.seconds = seconds;
    this.follow(this.props);
    this.render();
  }

  onSelect(event) {
    this.props.onChoose(event.target.value);
  }

  get windowUs() {
    return this.seconds * 1e6;
  }

  get lines() {
    const { nowUs, source } = this.props;
    const gapUs = Math.max(1.5 * this.feed.bucketUs, 3.5e6 * source.paceS(this.instancesOf(this.props)));
    return [
      { label: word("Received"), tone: "rx", points: this.feed.rx.window(nowUs, gapUs) },
      { label: word("Sent"), tone: "tx", points: this.feed.tx.window(nowUs, gapUs) },
    ];
  }

  /** How long the means are that the points of a long window are: "5 min"; "" if they are samples. */
  get means() {
    const { bucketUs } = this.feed.rx;
    const paceS = this.props.source.paceS(this.instancesOf(this.props));
    return bucketUs > MEANS_FROM_US * paceS ? duration(bucketUs / 1e6).replace(" 00 s", "") : "";
  }

  figures(line) {
    const { mean, p95, most } = summary(line.points);
    const { source, isStale } = this.props;
    // What was true once isn't now: an old value isn't told here.
    const now = sumNewest(source.model, METRICS[line.tone], this.instancesOf(this.props), (tUs, group) => !isStale(tUs, group));
    return { now: bitRate(now), mean: bitRate(mean), p95: bitRate(p95), most: bitRate(most) };
  }
}
