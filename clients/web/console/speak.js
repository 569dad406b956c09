// Saying lines: one player, one picture, and the figures of the last line.

import { Player } from "../kani-npc/index.js";
import { $, tell } from "./dom.js";
import { Wave } from "./wave.js";

export class Speaker {
  #abort;

  constructor() {
    this.wave = new Wave($("wave"));
    this.player = new Player({ onprogress: (progress) => this.#show(progress) });
    $("stop").addEventListener("click", () => this.stop());
  }

  stop() {
    this.#abort?.abort();
    this.player.stop();
  }

  /** Stops, and forgets what was said. */
  clear() {
    this.stop();
    for (const fact of $("facts").querySelectorAll("dd")) fact.textContent = "–";
    $("fact-underruns").className = "";
    delete $("facts").dataset.state;
    $("wave").setAttribute("aria-label", "Nothing was said yet");
    this.wave.clear();
  }

  /**
   * Says a line and shows it as it comes. Gives what `Player.play` gives, `undefined` if it was stopped. Throws
   * `ServiceError`.
   */
  async say(client, request) {
    this.clear();
    const abort = (this.#abort = new AbortController());
    $("stop").disabled = false;
    try {
      const events = client.synthesize({ ...request, visemes: true }, { signal: abort.signal });
      const result = await this.player.play(events, (event) => this.#take(event));
      this.#facts(result);
      return result.isStopped ? undefined : result;
    } catch (error) {
      if (abort.signal.aborted) return undefined;
      throw error;
    } finally {
      if (this.#abort === abort) $("stop").disabled = true;
    }
  }

  #take({ header, audio, timing, end }) {
    if (header) {
      this.wave.clear(header.sampleRateHz);
      $("wave").setAttribute("aria-label", `Sound of ${header.voice}, revision ${header.voiceRevision}`);
    }
    if (audio) this.wave.add(audio.samples);
    if (timing) this.wave.addTiming(timing);
    if (end) {
      const seconds = end.totalSamples / this.wave.rateHz;
      $("fact-server").textContent = `${Math.round(end.firstAudioMs)} ms`;
      $("fact-length").textContent = `${seconds.toFixed(2)} s`;
      $("fact-rtf").textContent = end.cacheHit ? "from the cache" : (end.computeMs / 1000 / seconds).toFixed(2);
    }
  }

  #show({ played, underruns }) {
    const mouth = this.wave.playedTo(played);
    $("fact-played").textContent = `${(played / this.wave.rateHz).toFixed(2)} s`;
    if (mouth) $("fact-mouth").textContent = mouth;
    $("fact-underruns").textContent = String(underruns);
    $("fact-underruns").className = underruns ? "bad" : "";
  }

  #facts({ firstSoundMs, firstAudioMs, played, underruns, end, isStopped }) {
    if (firstSoundMs) $("fact-first").textContent = `${Math.round(firstSoundMs)} ms`;
    // For who drives this page: what was really played, by the audio clock.
    Object.assign($("facts").dataset, {
      played, underruns, total: end?.totalSamples ?? 0,
      firstAudioMs: Math.round(firstAudioMs), firstSoundMs: Math.round(firstSoundMs), state: isStopped ? "stopped" : "done",
    });
    if (end?.finishReason === "FINISH_REASON_MAX_FRAMES") tell("The line was cut at its greatest length.", true);
    if (end?.finishReason === "FINISH_REASON_WATCHDOG") tell("The watchdog cut this take.", true);
  }
}
