/** What the daemon answered instead of what was asked for, in its words. */
export class Refusal extends Error {
  constructor(status, { error, hint } = {}) {
    super(error || `The daemon answered ${status}`);
    this.status = status;
    this.hint = hint || "";
  }
}

const DEADLINE_MS = 20000;

/** Reads the daemon's pages of JSON. Each request has a deadline, and can be called off by a signal. */
export class HttpClient {
  constructor(base) {
    this.base = base;
  }

  async get(path, params = {}, signal = null) {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(params)) {
      for (const one of Array.isArray(value) ? value : [value]) {
        if (one !== null && one !== undefined) query.append(name, one);
      }
    }
    const controller = new AbortController();
    const stop = () => controller.abort();
    const timer = setTimeout(stop, DEADLINE_MS);
    signal?.addEventListener("abort", stop);
    try {
      const text = query.toString();
      const answer = await fetch(this.base + path + (text ? `?${text}` : ""), { signal: controller.signal });
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
