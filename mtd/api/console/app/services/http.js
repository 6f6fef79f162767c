/** What the daemon answered instead of what was asked for, in its words. */
export class Refusal extends Error {
  constructor(status, { error, hint, retry_after_s: retryAfterS } = {}) {
    super(error || `The daemon answered ${status}`);
    this.status = status;
    this.hint = hint || "";
    this.retryAfterS = retryAfterS ?? null;
  }
}

const DEADLINE_MS = 20000;

/**
 * Reads the daemon's pages of JSON, and sends what changes something. Each request has a deadline, and can be called
 * off by a signal. `onStranger` is called when the daemon doesn't know (any more) who asks.
 */
export class HttpClient {
  constructor(base, onStranger = () => {}) {
    this.base = base;
    this._onStranger = onStranger;
  }

  async get(path, params = {}, signal = null) {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(params)) {
      for (const one of Array.isArray(value) ? value : [value]) {
        if (one !== null && one !== undefined) query.append(name, one);
      }
    }
    const text = query.toString();
    return this._ask(path + (text ? `?${text}` : ""), {}, signal);
  }

  /** `csrf` shows that a page of ours sends this: the daemon tells it with who one is. */
  async post(path, body, csrf) {
    const headers = { "content-type": "application/json", "x-mtd-csrf": csrf };
    return this._ask(path, { method: "POST", headers, body: JSON.stringify(body) }, null);
  }

  async _ask(path, options, signal) {
    const controller = new AbortController();
    const stop = () => controller.abort();
    const timer = setTimeout(stop, DEADLINE_MS);
    signal?.addEventListener("abort", stop);
    try {
      const answer = await fetch(this.base + path, { ...options, signal: controller.signal });
      if (answer.status === 401) this._onStranger();
      if (!answer.ok) throw new Refusal(answer.status, await answer.json().catch(() => ({})));
      return await answer.json();
    } catch (error) {
      if (error instanceof Refusal || signal?.aborted) throw error;
      throw new Refusal(0, { error: "mtd doesn't answer", hint: "Is the daemon running? The page tries again by itself." });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
    }
  }
}
