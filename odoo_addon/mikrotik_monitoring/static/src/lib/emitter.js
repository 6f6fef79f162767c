/** @odoo-module **/

/** Topics that one can listen to. Who listens gets a function that ends it. */
export class Emitter {
  constructor() {
    this._listeners = new Map();
  }

  on(topic, listener) {
    const listeners = this._listeners.get(topic) ?? new Set();
    this._listeners.set(topic, listeners);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  emit(topic, value) {
    const listeners = this._listeners.get(topic);
    for (const listener of [...(listeners ?? [])]) if (listeners.has(listener)) listener(value);
  }

  /** How many listen, over all topics: a page that was left must not be among them. */
  get size() {
    let sum = 0;
    for (const listeners of this._listeners.values()) sum += listeners.size;
    return sum;
  }
}
