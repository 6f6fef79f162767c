/** Totals of the last while, to tell what came of late: by how much each grew. */
export class Recent {
  constructor(seconds = 60) {
    this._us = seconds * 1e6;
    this._samples = [];
  }

  /** Take totals of a time, by their names. Of another start of what counts, all before is forgotten. */
  push(tUs, totals, start) {
    if (start !== this._start) this._samples = [];
    this._start = start;
    this._samples.push({ tUs, totals });
    // One that is older stays: it is where the window begins.
    while (this._samples.length > 2 && this._samples[1].tUs <= tUs - this._us) this._samples.shift();
  }

  /** How long that is, in seconds; 0 until there are two. */
  get seconds() {
    if (this._samples.length < 2) return 0;
    return (this._samples.at(-1).tUs - this._samples[0].tUs) / 1e6;
  }

  /** By how much a total grew in that time; null until it is known. */
  grown(name) {
    if (this._samples.length < 2) return null;
    return (this._samples.at(-1).totals.get(name) ?? 0) - (this._samples[0].totals.get(name) ?? 0);
  }
}
