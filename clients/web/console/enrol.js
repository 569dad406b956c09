// A voice from recordings: files, or the microphone.

import { addConsent, consentIn } from "./consent.js";
import { $, Refused, bytesOf, el, fillSelect, formDialog, reasonOf, suggestId } from "./dom.js";
import { Recorder, dbfs, qualityHint, toWav } from "./recorder.js";

/** `made(voice, reports)` is told of what became of it. The dialog is opened with a voice to give it a new recording. */
export function enrolDialog(app, made) {
  let clips = [], recorder, revised;
  const form = $("enrol").querySelector("form");
  addConsent(form);
  suggestId(form);

  function show() {
    $("clips").replaceChildren(...clips.map((clip, index) => el("li", {},
      el("span", { className: "name", textContent: clip.name }),
      el("span", { className: "quiet", textContent: clip.seconds ? `${clip.seconds.toFixed(1)} s` : "" }),
      el("button", { type: "button", textContent: "Remove", "aria-label": `Remove ${clip.name}`, onclick: () => { clips.splice(index, 1); show(); } }),
      ...(clip.hint ? [el("span", { className: "hint", textContent: clip.hint })] : []),
    )));
  }

  async function addFile(file) {
    const clip = { name: file.name, bytes: await bytesOf(file), hint: "", seconds: 0 };
    const context = new OfflineAudioContext(1, 1, 48_000);
    try {
      const sound = await context.decodeAudioData(clip.bytes.slice().buffer);
      clip.seconds = sound.duration;
      clip.hint = qualityHint(sound.getChannelData(0), sound.sampleRate);
    } catch {
      clip.hint = "This browser cannot read it; the server may.";
    }
    clips.push(clip);
    show();
  }

  async function startRecording() {
    const mine = (recorder = new Recorder());
    let seconds = 0;
    await recorder.start((block) => {
      if (recorder !== mine) return; // what was still on its way when it was stopped
      seconds += 0.1;
      const level = dbfs(block);
      $("level").value = Math.max(-60, level);
      $("record-time").textContent = `${seconds.toFixed(1)} s`;
      $("level-hint").textContent = block.some((s) => Math.abs(s) > 0.985) ? "Too loud" : "";
    });
    recordButton(true);
  }

  async function stopRecording() {
    const { samples, rateHz } = await recorder.stop();
    recorder = undefined;
    recordButton(false);
    clips.push({
      name: `Recording ${clips.length + 1}`,
      bytes: toWav(samples, rateHz),
      seconds: samples.length / rateHz,
      hint: qualityHint(samples, rateHz),
    });
    show();
  }

  function recordButton(isOn) {
    $("record").textContent = isOn ? "Stop recording" : "Record";
    $("record").classList.toggle("recording", isOn);
    $("record").setAttribute("aria-pressed", isOn);
    if (!isOn) {
      $("level").value = -60;
      $("record-time").textContent = $("level-hint").textContent = "";
    }
  }

  $("clip-files").addEventListener("change", async () => {
    for (const file of $("clip-files").files) await addFile(file);
    $("clip-files").value = "";
  });
  $("record").addEventListener("click", async () => {
    $("record").disabled = true;
    try {
      await (recorder ? stopRecording() : startRecording());
    } catch (error) {
      recorder = undefined;
      $("level-hint").textContent = `The microphone cannot be used: ${reasonOf(error)}`;
    } finally {
      $("record").disabled = false;
    }
  });

  return formDialog("enrol", {
    fill(form, voice) {
      clips = [];
      revised = voice;
      show();
      const { displayName, id, tag, licence } = form.elements;
      $("enrol-title").textContent = voice ? `New recording of ${voice.displayName || voice.id}` : "New voice from a recording";
      fillSelect(tag, [["", "the model's own"], ...app.languages.map((language) => [language, language])], voice?.tag ?? "");
      id.readOnly = Boolean(voice);
      id.value = voice?.id ?? "";
      displayName.value = voice?.displayName ?? "";
      licence.value = voice?.licence ?? "";
      form.elements.kind.value = voice?.consent && !voice.consent.revokeTime ? voice.consent.kind : "";
      for (const field of ["holder", "scope", "statement"]) form.elements[field].value = voice?.consent?.[field] ?? "";
      form.querySelector(".granted").hidden = form.elements.kind.value !== "CONSENT_KIND_GRANTED";
    },
    async send(form) {
      if (recorder) await stopRecording();
      if (!clips.length) throw new Refused("Add a recording: a file, or from the microphone.");
      const { displayName, id, tag, licence, keepClips } = form.elements;
      const voice = { id: id.value, displayName: displayName.value, tag: tag.value, licence: licence.value, consent: consentIn(form) };
      if (revised) voice.etag = revised.etag;
      const answer = await app.client.voices.enrollVoice({
        voice, clips: clips.map((clip) => clip.bytes), keepClips: keepClips.checked, revise: Boolean(revised), requestId: crypto.randomUUID(),
      });
      made(answer.voice, answer.clips);
    },
    async closed() {
      if (!recorder) return;
      const abandoned = recorder;
      recorder = undefined;
      recordButton(false);
      await abandoned.stop();
    },
  });
}
