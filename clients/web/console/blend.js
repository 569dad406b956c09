// A voice made of several, by sliders. It can be heard before it is made: under a name of its own that is taken away again.

import { $, Refused, el, formDialog, reasonOf, suggestId } from "./dom.js";

const MOST = 16;

export function blendDialog(app, made) {
  const form = $("blend").querySelector("form");
  suggestId(form);

  function addShare(voice, weight) {
    const number = $("shares").children.length + 1;
    const select = el("select", { "aria-label": `Voice ${number}` });
    for (const { id, displayName } of app.voices.values()) select.append(el("option", { value: id, textContent: displayName || id }));
    select.value = voice;
    const slider = el("input", { type: "range", min: 0, max: 100, value: weight, "aria-label": `Share of voice ${number}` });
    const row = el("div", { className: "share" }, select, slider, el("output"),
      el("button", { type: "button", textContent: "×", "aria-label": `Leave out voice ${number}`, onclick: () => { row.remove(); showShares(); } }));
    slider.addEventListener("input", showShares);
    $("shares").append(row);
    showShares();
  }

  function shares() {
    return [...$("shares").children].map((row) => ({
      voice: row.querySelector("select").value, weight: Number(row.querySelector("input").value),
    }));
  }

  function showShares() {
    const all = shares(), sum = all.reduce((total, { weight }) => total + weight, 0) || 1;
    [...$("shares").children].forEach((row, i) => (row.querySelector("output").textContent = `${Math.round((100 * all[i].weight) / sum)} %`));
    $("add-share").disabled = all.length >= MOST;
  }

  function blended(id, displayName) {
    const parts = shares().filter(({ weight }) => weight > 0);
    if (new Set(parts.map(({ voice }) => voice)).size < 2) throw new Refused("Take at least two voices.");
    return app.client.voices.blendVoices({ voice: { id, displayName }, shares: parts });
  }

  $("add-share").addEventListener("click", () => addShare([...app.voices.keys()][$("shares").children.length % app.voices.size], 50));
  $("audition").addEventListener("click", async () => {
    const fault = form.querySelector(".error"), id = `audition-${crypto.randomUUID().slice(0, 8)}`;
    fault.textContent = "";
    $("audition").disabled = true;
    try {
      await blended(id, "");
      try {
        await app.say({ voice: id });
      } finally {
        await app.client.voices.deleteVoice({ id });
      }
    } catch (error) {
      fault.textContent = error instanceof Refused ? error.message : reasonOf(error);
    } finally {
      $("audition").disabled = false;
    }
  });

  return formDialog("blend", {
    fill(form, voice) {
      $("shares").replaceChildren();
      const others = [...app.voices.keys()].filter((id) => id !== voice?.id);
      addShare(voice?.id ?? others[0], 50);
      addShare(voice ? others[0] : others[1], 50);
    },
    async send(form) {
      const { displayName, id } = form.elements;
      made((await blended(id.value, displayName.value)).voice);
    },
    closed: () => app.speaker.stop(),
  });
}
