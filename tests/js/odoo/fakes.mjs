// Odoo's bus and its server as a test wants them, and messages of a router.

/** Odoo's bus service: what is listened to, and what comes. */
export class FakeBus {
  channels = [];
  forced = 0; // how often the server was asked anew what the names stand for
  _listeners = new Map();
  _events = new Map();

  addChannel(channel) {
    this.channels.push(channel);
  }

  deleteChannel(channel) {
    this.channels = this.channels.filter((one) => one !== channel);
  }

  // Odoo's worker tells the server of names that come and go; one that does both at once is no news to it.
  forceUpdateChannels() {
    this.forced += 1;
  }

  subscribe(type, callback) {
    this._listeners.set(type, callback);
  }

  addEventListener(type, callback) {
    this._events.set(type, callback);
  }

  trigger(type) {
    this._events.get(type)?.();
  }

  /** Let a notification come. */
  tell(payload, type = "mikrotik_monitoring.live") {
    this._listeners.get(type)(payload);
  }
}

/** Odoo's server: answers by the method's name, a value, a function of the arguments, or an error that is raised. */
export class FakeOrm {
  asked = [];

  constructor(answers = {}) {
    this.answers = { live_watch: ([[id]]) => ({ channel: `mikrotik_monitoring.device.${id}`, kind: "full", bridge_seen_s: 3 }), live_unwatch: true, live_history: () => history(), ...answers };
  }

  get silent() {
    return this;
  }

  async call(model, method, args, kwargs = {}) {
    this.asked.push({ model, method, args, kwargs });
    const answer = this.answers[method];
    const given = typeof answer === "function" ? answer(args, kwargs) : answer;
    if (given instanceof Error) throw given;
    return given;
  }

  of(method) {
    return this.asked.filter((one) => one.method === method);
  }
}

export function odooError(name, message) {
  return Object.assign(new Error("Odoo Server Error"), { exceptionName: `odoo.exceptions.${name}`, data: { message } });
}

export const history = (series = []) => ({ start_us: 0, end_us: 0, bucket_us: 0, series });

const INTERFACE_METRICS = [["iface.rx_bps", "bits_per_second"], ["iface.tx_bps", "bits_per_second"], ["iface.oper_state", "state"]];

/** A live message, complete in itself. */
export function payload(device, nowUs, { rx = 1e6, tUs = nowUs - 2e5, ...more } = {}) {
  return {
    v: 1,
    device,
    seq: 1,
    now_us: nowUs,
    hz: 1,
    status: "up",
    reason: "",
    since_us: nowUs - 3600e6,
    last_seen_us: tUs,
    name: "core-0",
    version: "7.16.2 (stable)",
    board: "CCR2004",
    identity: "core-0",
    intervals_s: { t0: 1, t1: 10 },
    summary: { t_us: tUs, cpu_pct: 7, mem_pct: 40, rx_bps: rx, tx_bps: rx / 2, errors_per_s: 0, uptime_s: 3600 },
    groups: [
      {
        group: "t0",
        t_us: tUs,
        scalars: [["system.cpu.load_pct", "percent", 7], ["system.uptime_seconds", "seconds", 3600]],
        metrics: INTERFACE_METRICS,
        rows: [["*1", "ether1", [rx, rx / 2, 1]], ["*2", "ether2", [null, null, 0]]],
      },
      { group: "t1", t_us: tUs - 5e6, scalars: [], metrics: [["iface.rx_bytes_total", "bytes"]], rows: [["*1", "ether1", ["9007199254740993"]]] },
    ],
    interfaces: [
      ["*1", "ether1", "to the provider", "ether", "t0", true, "way of the default route"],
      ["*2", "ether2", "", "ether", "t0", true, "it has room"],
    ],
    events: [{ position: 7, t_us: tUs, device_id: "d", device: "core-0", type: "interface.link", severity: "warning", entity_type: "interface", entity: "ether2", message: "ether2 is down", evidences: [], replaces: [] }],
    lines: [{ t_us: tUs, severity: 4, topics: ["interface", "warning"], text: "ether2 link down" }],
    more: 0,
    ...more,
  };
}
