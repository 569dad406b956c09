// The picture of a line: its sound as it arrives, how much of it was played, and what the mouth does.

const BAR = 3; // pixels, with the gap
const MOUTH = ["sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "ih", "oh", "ou"];

export class Wave {
  constructor(canvas) {
    this.canvas = canvas;
    this.clear();
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  clear(rateHz = 22050) {
    this.rateHz = rateHz;
    this.pieces = [];
    this.total = 0;
    this.played = 0;
    this.timings = [];
    this.draw();
  }

  add(samples) {
    this.pieces.push({ first: this.total, samples });
    this.total += samples.length;
    this.draw();
  }

  addTiming(timing) {
    this.timings.push(timing);
  }

  /** So many samples were played. Gives the name of the viseme there, "" where none is known. */
  playedTo(played) {
    this.played = played;
    this.draw();
    for (const { firstSample, hopSamples, weights } of this.timings) {
      const hop = Math.floor((played - firstSample) / hopSamples);
      if (hop < 0 || hop * MOUTH.length >= weights.length) continue;
      const here = weights.slice(hop * MOUTH.length, (hop + 1) * MOUTH.length);
      return MOUTH[here.indexOf(Math.max(...here))];
    }
    return "";
  }

  draw() {
    const { canvas } = this, scale = devicePixelRatio || 1;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    if (!width) return;
    canvas.width = width * scale;
    canvas.height = height * scale;
    const paint = canvas.getContext("2d"), style = getComputedStyle(canvas);
    const probe = (name) => { paint.fillStyle = "#888"; paint.fillStyle = this.#colour(style, name); return paint.fillStyle; };
    const accent = probe("accent"), quiet = probe("edge");
    paint.scale(scale, scale);
    const span = Math.max(this.total, 2 * this.rateHz), bars = Math.floor((width - 24) / BAR);
    const peaks = this.#peaks(bars, span), middle = height / 2 - (this.timings.length ? 8 : 0);
    for (let bar = 0; bar < bars; bar++) {
      const at = 12 + bar * BAR, isPlayed = (bar / bars) * span < this.played;
      paint.fillStyle = isPlayed ? accent : quiet;
      const tall = Math.max(1, peaks[bar] * (middle - 6));
      paint.globalAlpha = peaks[bar] ? 1 : 0.35;
      paint.fillRect(at, middle - tall, BAR - 1, 2 * tall);
    }
    paint.globalAlpha = 0.8;
    paint.fillStyle = accent;
    for (const { firstSample, hopSamples, openness } of this.timings) {
      openness.forEach((open, hop) => {
        const x = 12 + ((firstSample + hop * hopSamples) / span) * bars * BAR;
        paint.fillRect(x, height - 5 - 13 * open, Math.max(1, (hopSamples / span) * bars * BAR - 0.5), 1 + 13 * open);
      });
    }
    paint.globalAlpha = 1;
  }

  // A canvas knows no light-dark(): the browser resolves it on an element.
  #colour(style, name) {
    this.canvas.style.color = `var(--${name})`;
    const colour = style.color;
    this.canvas.style.color = "";
    return colour;
  }

  #peaks(bars, span) {
    const peaks = new Float32Array(bars);
    for (const { first, samples } of this.pieces) {
      for (let i = 0; i < samples.length; i += 4) { // every fourth is enough for a picture
        const bar = Math.floor(((first + i) / span) * bars), value = Math.abs(samples[i]);
        if (value > peaks[bar]) peaks[bar] = value;
      }
    }
    return peaks.map((peak) => Math.sqrt(peak));
  }
}
