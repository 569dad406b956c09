// The client of a kani-npc server: its services, and lines of speech that check themselves.

import { AccentService, LexiconService, NpcService, SpeechService, VoiceService } from "./messages.js";
import { Connection, ServiceError } from "./rpc.js";

/**
 * `baseUrl` is the address of the server's web port; "" is where the page came from. `project` is where names are looked
 * up. `speech`, `voices`, `npcs`, `accents` and `lexicons` have the methods of their services in camelCase:
 * `await client.npcs.getNpc({ id: "guard" })`. They throw `ServiceError`.
 */
export class Client {
  constructor(baseUrl = "", { project = "", metadata = {} } = {}) {
    this.connection = new Connection(baseUrl, { ...(project ? { "kani-project": project } : {}), ...metadata });
    this.speech = this.#methods(SpeechService);
    this.voices = this.#methods(VoiceService);
    this.npcs = this.#methods(NpcService);
    this.accents = this.#methods(AccentService);
    this.lexicons = this.#methods(LexiconService);
  }

  /**
   * Says a line: `for await` gives `header`, then `audio` with `samples` (Float32Array) beside its `data`, and `end`.
   * Leaving the loop, or aborting `signal`, stops the voice. Throws `ServiceError`, also where what came is not whole.
   */
  async *synthesize(request, options) {
    let numSamples = 0, hasEnd = false;
    for await (const event of this.speech.synthesize({ ...request, audio: { ...request.audio, encoding: "AUDIO_ENCODING_LINEAR16" } }, options)) {
      if (event.audio) {
        if (event.audio.firstSample !== numSamples) throw notWhole();
        event.audio.samples = toFloat(event.audio.data);
        numSamples += event.audio.samples.length;
      }
      if (event.end) {
        hasEnd = true;
        if (event.end.totalSamples !== numSamples) throw notWhole();
      }
      yield event;
    }
    if (!hasEnd) throw notWhole();
  }

  #methods(service) {
    const entries = Object.entries(service).map(([name, method]) => [
      name,
      (request = {}, options) =>
        method.streams ? this.connection.stream(method, request, options) : this.connection.unary(method, request, options),
    ]);
    return Object.fromEntries(entries);
  }
}

/** All of a list that comes in pages: `for await (const voice of all(client.voices.listVoices, "voices"))`. */
export async function* all(list, field, request = {}) {
  let pageToken = "";
  do {
    const page = await list({ ...request, pageToken });
    yield* page[field];
    pageToken = page.nextPageToken;
  } while (pageToken);
}

function toFloat(data) {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const samples = new Float32Array(data.byteLength >> 1);
  for (let i = 0; i < samples.length; i++) samples[i] = view.getInt16(2 * i, true) / 32768;
  return samples;
}

function notWhole() {
  return new ServiceError("the speech that came is not whole", "DATA_LOSS");
}
