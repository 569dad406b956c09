// The microphone, and how good a recording is.

/** Records until `stop`. `onblock` gets a tenth of a second of samples at a time. */
export class Recorder {
  #context;
  #stream;
  #blocks = [];

  async start(onblock) {
    // As it is: what makes a call clearer takes away from a voice.
    const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    this.#stream = await navigator.mediaDevices.getUserMedia({ audio });
    this.#context = new AudioContext();
    await this.#context.audioWorklet.addModule(new URL("recorder-worklet.js", import.meta.url));
    const node = new AudioWorkletNode(this.#context, "recorder", { numberOfOutputs: 0 });
    node.port.onmessage = ({ data }) => {
      this.#blocks.push(data);
      onblock(data);
    };
    this.#context.createMediaStreamSource(this.#stream).connect(node);
  }

  /** `{samples, rateHz}` of all that was heard. */
  async stop() {
    for (const track of this.#stream.getTracks()) track.stop();
    const rateHz = this.#context.sampleRate;
    await this.#context.close();
    const samples = new Float32Array(this.#blocks.reduce((sum, block) => sum + block.length, 0));
    let at = 0;
    for (const block of this.#blocks) {
      samples.set(block, at);
      at += block.length;
    }
    return { samples, rateHz };
  }
}

export function dbfs(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return 10 * Math.log10(sum / Math.max(1, samples.length) + 1e-12);
}

/** What is wrong with a recording, in words; "" if nothing is. By levels alone: the server hears more. */
export function qualityHint(samples, rateHz) {
  const seconds = samples.length / rateHz, tenth = Math.round(rateHz / 10);
  const levels = [];
  for (let at = 0; at + tenth <= samples.length; at += tenth) levels.push(dbfs(samples.subarray(at, at + tenth)));
  if (!levels.length) return "There is nothing in it.";
  levels.sort((a, b) => a - b);
  const loud = levels[Math.floor(levels.length * 0.9)], soft = levels[Math.floor(levels.length * 0.1)];
  let clipped = 0;
  for (const sample of samples) if (Math.abs(sample) > 0.985) clipped++;
  const spoken = levels.filter((level) => level > loud - 20).length / 10;
  if (loud < -50) return "Nobody is heard. Is the microphone on?";
  if (clipped / samples.length > 1e-4) return "It is clipped: speak further away, or turn the level down.";
  if (loud < -36) return "It is faint: speak closer, or turn the level up.";
  if (seconds > 60) return "It is longer than 60 s: cut it.";
  if (spoken < 3) return `Only ${spoken.toFixed(1)} s of speech: 10 s and more make a better voice.`;
  if (loud - soft < 15 && levels.length > 20) return "The room is loud: its noise becomes part of the voice.";
  return "";
}

/** A file of 16-bit samples. */
export function toWav(samples, rateHz) {
  const bytes = new Uint8Array(44 + 2 * samples.length), view = new DataView(bytes.buffer);
  const word = (at, text) => [...text].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  word(0, "RIFF");
  view.setUint32(4, 36 + 2 * samples.length, true);
  word(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rateHz, true);
  view.setUint32(28, 2 * rateHz, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  word(36, "data");
  view.setUint32(40, 2 * samples.length, true);
  samples.forEach((sample, i) => view.setInt16(44 + 2 * i, Math.round(32767 * Math.max(-1, Math.min(1, sample))), true));
  return bytes;
}
