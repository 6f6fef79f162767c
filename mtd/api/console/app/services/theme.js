const KEY = "mtd.theme";
export const THEMES = ["auto", "light", "dark"];

/** Light, dark, or as the system has it; remembered in this browser. */
export class Theme {
  /** `storage` returns it, or throws where it is forbidden. */
  constructor(storage) {
    this._storage = storage;
    this.name = this._read();
  }

  _read() {
    try {
      const name = this._storage().getItem(KEY);
      return THEMES.includes(name) ? name : "auto";
    } catch {
      return "auto"; // storage may be forbidden
    }
  }

  next() {
    this.name = THEMES[(THEMES.indexOf(this.name) + 1) % THEMES.length];
    this.apply();
    try {
      this._storage().setItem(KEY, this.name);
    } catch {
      // It holds until the page is closed.
    }
  }

  apply() {
    const root = document.documentElement;
    if (this.name === "auto") delete root.dataset.theme;
    else root.dataset.theme = this.name;
  }
}
