// Plays a line as it comes: samples to an AudioWorklet, whose clock counts what was really played.

const CAPACITY_S = 16; // beside what is in hand before the start
const FULL_S = 8; // likewise; no more is taken from the network: a page that sleeps must not hoard

/**
 * One voice at a time; a new line ends the one before. `prebufferMs` is in hand before playback starts. `onprogress` gets
 * `{played, inHand, underruns}` in samples, about twenty times a second.
 *
 * Needs https or localhost (AudioWorklet), and a first click or key of the user (all sound in a browser does).
 */
export class Player {
  #context;
  #node;
  #opening = Promise.resolve(); // one at a time
  #line = 0;
  #now; // the line that plays

  constructor({ prebufferMs = 120, onprogress } = {}) {
    this.prebufferMs = prebufferMs;
    this.onprogress = onprogress;
  }

  static get isSupported() {
    return typeof AudioWorkletNode !== "undefined";
  }

  /**
   * Plays what `events` (of `Client.synthesize`) bring, to its end. Gives `{header, end, played, underruns,
   * firstAudioMs, firstSoundMs, isStopped}`, times from this call on. Throws what `events` throw; what came before is
   * not played on.
   */
  async play(events, onevent = () => {}) {
    const calledMs = performance.now();
    const result = { header: undefined, end: undefined, firstAudioMs: 0, firstSoundMs: 0 };
    let line;
    try {
      for await (const event of events) {
        onevent(event);
        if (event.header) {
          result.header = event.header;
          line = await this.begin(event.header.sampleRateHz, event.header.recommendedPrebufferMs);
        } else if (event.audio) {
          result.firstAudioMs ||= performance.now() - calledMs;
          await line.write(event.audio.samples);
        } else if (event.end) result.end = event.end;
        if (line?.isStopped) break;
      }
      line?.end();
      const { played, underruns, startTime } = (await line?.finished) ?? { played: 0, underruns: 0, startTime: -1 };
      if (startTime >= 0) result.firstSoundMs = line.beganMs - calledMs + 1000 * (startTime - line.beganTime + this.latencyS);
      return { ...result, played, underruns, isStopped: line?.isStopped ?? false };
    } catch (error) {
      line?.stop();
      throw error;
    }
  }

  /** A line by hand: `write`, then `end`; `finished` tells when it was played. A line of no samples must be stopped. */
  async begin(sampleRateHz, prebufferMs = 0) {
    this.stop();
    await this.#open(sampleRateHz, Math.max(this.prebufferMs, prebufferMs));
    this.#line += 1;
    this.#now = new Line(this.#line, this.#node, this.#context);
    return this.#now;
  }

  /** Opens the sound card ahead of the first line, which else pays for it. Wants a click or a key of the user, too. */
  async prepare(sampleRateHz) {
    await this.#open(sampleRateHz, this.prebufferMs);
  }

  /** Silence, within a block of samples. */
  stop() {
    this.#now?.stop();
    this.#now = undefined;
  }

  /** From the worklet to the ear, as far as the browser knows. */
  get latencyS() {
    return (this.#context?.baseLatency ?? 0) + (this.#context?.outputLatency || 0);
  }

  #open(sampleRateHz, prebufferMs) {
    const opened = this.#opening.then(() => this.#reallyOpen(sampleRateHz, prebufferMs));
    this.#opening = opened.catch(() => {});
    return opened;
  }

  async #reallyOpen(sampleRateHz, prebufferMs) {
    const fits = this.#context?.sampleRate === sampleRateHz && this.#node.prebufferMs === prebufferMs;
    if (!fits) {
      await this.#context?.close();
      this.#context = new AudioContext({ sampleRate: sampleRateHz, latencyHint: "interactive" }); // the browser resamples
      await this.#context.audioWorklet.addModule(new URL("player-worklet.js", import.meta.url));
      this.#node = new AudioWorkletNode(this.#context, "kani-npc-ring", {
        numberOfInputs: 0,
        outputChannelCount: [1],
        processorOptions: {
          capacity: Math.round((CAPACITY_S + prebufferMs / 1000) * sampleRateHz),
          prebuffer: Math.round((prebufferMs / 1000) * sampleRateHz),
        },
      });
      this.#node.prebufferMs = prebufferMs;
      this.#node.port.onmessage = ({ data }) => {
        this.#now?.hear(data);
        if (data.line === this.#line) this.onprogress?.(data);
      };
      this.#node.connect(this.#context.destination);
    }
    await this.#context.resume();
  }
}

class Line {
  #port;
  #sent = 0;
  #played = 0;
  #full;
  #room = () => {};
  #finish;
  #isDone = false;

  constructor(number, { port, prebufferMs }, context) {
    this.number = number;
    this.isStopped = false;
    this.beganMs = performance.now();
    this.beganTime = context.currentTime;
    this.finished = new Promise((resolve) => (this.#finish = resolve));
    this.#port = port;
    this.#full = (FULL_S + prebufferMs / 1000) * context.sampleRate;
    port.postMessage({ begin: number });
  }

  /** Comes back when there is room for more. Takes at most eight seconds at once. */
  async write(samples) {
    if (this.isStopped) return;
    const copy = samples.slice();
    this.#sent += copy.length;
    this.#port.postMessage({ line: this.number, samples: copy }, [copy.buffer]);
    while (this.#sent - this.#played > this.#full && !this.isStopped) {
      await new Promise((resolve) => (this.#room = resolve));
    }
  }

  end() {
    if (this.#sent === 0) this.stop();
    this.#port.postMessage({ line: this.number, end: true });
  }

  stop() {
    if (this.#isDone) return;
    this.isStopped = true;
    this.#port.postMessage({ line: this.number, stop: true });
    this.#room();
    // A context that sleeps says nothing more.
    setTimeout(() => this.#finish({ played: this.#played, underruns: 0, startTime: -1 }), 250);
  }

  hear(report) {
    if (report.line !== this.number) return;
    this.#played = report.played;
    this.#room();
    if (report.isDone) {
      this.#isDone = true;
      this.#finish(report);
    }
  }
}
