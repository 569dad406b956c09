// The audio thread's half of the player: a ring of samples, played from its head and filled at its tail.
//
// It starts once enough is in hand, falls silent where it runs dry (and counts that), starts again when enough is in hand
// anew, and fades over one block where it is stopped, so that nothing clicks. No allocation in `process`.

const REPORT_S = 0.05;

class Ring extends AudioWorkletProcessor {
  constructor({ processorOptions }) {
    super();
    this.samples = new Float32Array(processorOptions.capacity);
    this.prebuffer = processorOptions.prebuffer;
    this.forget(0);
    this.port.onmessage = ({ data }) => this.hear(data);
  }

  forget(line) {
    this.line = line;
    this.head = 0; // samples played since the line began
    this.tail = 0; // samples that came
    this.underruns = 0;
    this.isPlaying = false;
    this.isWhole = false; // nothing follows
    this.isStopping = false;
    this.isDone = line === 0;
    this.startTime = -1;
    this.reportTime = 0;
  }

  hear(data) {
    if (data.begin !== undefined) {
      this.forget(data.begin);
      return;
    }
    if (data.line !== this.line) return;
    if (data.samples) {
      const size = this.samples.length, at = this.tail % size, fits = Math.min(size - at, data.samples.length);
      this.samples.set(data.samples.subarray(0, fits), at);
      this.samples.set(data.samples.subarray(fits), 0);
      this.tail += data.samples.length;
    }
    if (data.end) this.isWhole = true;
    if (data.stop) this.isStopping = true;
  }

  process(inputs, [[output]]) {
    if (this.isDone) return true;
    const inHand = this.tail - this.head;
    if (!this.isPlaying && !this.isStopping && (inHand >= this.prebuffer || (this.isWhole && inHand > 0))) {
      this.isPlaying = true;
      if (this.startTime < 0) this.startTime = currentTime;
    }
    if (this.isPlaying) this.play(output, inHand);
    if (this.isStopping || (this.isWhole && this.head === this.tail)) this.isDone = true;
    if (this.isDone || currentTime >= this.reportTime) this.report();
    return true;
  }

  play(output, inHand) {
    const count = Math.min(output.length, inHand), size = this.samples.length;
    const isShort = count < output.length && !this.isWhole;
    for (let i = 0; i < count; i++) output[i] = this.samples[(this.head + i) % size];
    if (this.isStopping || isShort) for (let i = 0; i < count; i++) output[i] *= 1 - (i + 1) / count;
    this.head += count;
    if (isShort) {
      this.underruns += 1;
      this.isPlaying = false;
    }
  }

  report() {
    this.reportTime = currentTime + REPORT_S;
    this.port.postMessage({
      line: this.line,
      played: this.head,
      inHand: this.tail - this.head,
      underruns: this.underruns,
      startTime: this.startTime,
      isDone: this.isDone,
    });
  }
}

registerProcessor("kani-npc-ring", Ring);
