// The designer's console: voices and NPCs of one project, and what can be done with them. A client like any other.

import { Client, Player, all } from "../kani-npc/index.js";
import { blendDialog } from "./blend.js";
import { addConsent, consentIn, consentText } from "./consent.js";
import { $, bytesOf, confirmed, doing, download, el, fillSelect, formDialog, suggestId, tell } from "./dom.js";
import { enrolDialog } from "./enrol.js";
import { Speaker } from "./speak.js";

const LOAD_EVERY_MS = 1000;
const SOURCES = {
  VOICE_SOURCE_ENROLLED: "recording", VOICE_SOURCE_BLENDED: "blend", VOICE_SOURCE_IMPORTED: "import",
  VOICE_SOURCE_FINE_TUNED: "fine-tuning", VOICE_SOURCE_BUILTIN: "the model",
};

const app = {
  client: new Client(),
  speaker: new Speaker(),
  voices: new Map(), // by id
  npcs: new Map(),
  accents: [],
  languages: [],
  rateHz: 0,
  kind: "voice", // what is listed
  subject: undefined, // what is shown: {kind, id}
  say: (request) => app.speaker.say(app.client, {
    text: $("text").value, accent: $("accent").value, vary: $("vary").checked, priority: "PRIORITY_DIALOGUE", ...request,
  }),
};

// What there is

async function refresh() {
  const { client } = app, load = async (list, field) => {
    const found = new Map();
    for await (const item of all(list, field, { pageSize: 500 })) found.set(item.id, item);
    return found;
  };
  const [info, voices, npcs, accents] = await Promise.all([
    client.speech.getServerInfo({}),
    load(client.voices.listVoices, "voices"),
    load(client.npcs.listNpcs, "npcs"),
    load(client.accents.listAccents, "accents"),
  ]);
  Object.assign(app, { voices, npcs, accents: [...accents.values()], languages: info.model.languages });
  app.rateHz = info.model.sampleRateHz;
  $("model").textContent = `${info.model.name} · ${info.model.licence} · ${info.version}`;
  fillSelects($("accent"), $("npc-form").elements.accent, $("new-npc").querySelector("select"));
  $("voice-ids").replaceChildren(...[...voices.values()].map((voice) => el("option", { value: voice.id, label: voice.displayName || voice.id })));
  showList();
}

function fillSelects(...selects) {
  const options = [["", "the voice's own"], ...app.accents.map((accent) => [accent.id, accent.displayName || accent.id])];
  for (const select of selects) fillSelect(select, options, select.value);
}

function showList() {
  const wanted = $("search").value.trim().toLowerCase();
  const items = [...(app.kind === "voice" ? app.voices : app.npcs).values()].filter((item) =>
    [item.id, item.displayName, item.voice ?? "", ...Object.entries(item.labels).flat()].some((text) => text.toLowerCase().includes(wanted)));
  $("list").replaceChildren(...items.map((item) => {
    const isShown = app.subject?.kind === app.kind && app.subject.id === item.id;
    const isRevoked = Boolean(item.consent?.revokeTime);
    return el("li", {}, el("button", { onclick: () => go(app.kind, item.id), "data-id": item.id, title: item.displayName, ...(isShown ? { "aria-current": "true" } : {}) },
      el("span", { className: "name", textContent: item.displayName || item.id }),
      el("small", { textContent: app.kind === "npc" ? `${item.id} · ${item.voice}` : item.id }),
      el("span", { className: isRevoked ? "mark bad" : "mark", textContent: isRevoked ? "revoked" : item.revision > 1 ? `rev. ${item.revision}` : "" })));
  }));
  $("empty").hidden = items.length > 0;
  $("empty").textContent = app.kind === "npc" && !app.npcs.size ? "No NPC yet." : "Nothing of that name.";
}

function listKind(kind) {
  app.kind = kind;
  for (const tab of ["voice", "npc"]) {
    $(`tab-${tab}`).setAttribute("aria-selected", tab === kind);
    $(`tab-${tab}`).tabIndex = tab === kind ? 0 : -1;
  }
  $("list").setAttribute("aria-labelledby", `tab-${kind}`);
  for (const part of document.querySelectorAll(".new")) part.hidden = part.dataset.for !== kind;
  showList();
}

// What is shown

function go(kind, id) {
  const hash = `#${kind}/${id}`;
  if (location.hash === hash) doing(show);
  else location.hash = hash;
}

async function show() {
  const [, kind, id] = /^#(voice|npc)\/([a-z0-9-]+)$/.exec(location.hash) ?? [];
  const item = (kind === "npc" ? app.npcs : app.voices).get(id);
  if (!item) {
    const first = app.voices.keys().next().value;
    if (first) go("voice", first);
    return;
  }
  if (app.subject?.kind !== kind || app.subject.id !== id) app.speaker.clear();
  app.subject = { kind, id };
  listKind(kind);
  const isVoice = kind === "voice", name = item.displayName || item.id;
  document.title = `${name} · kani-npc`;
  $("subject").hidden = false;
  $("subject-name").textContent = name;
  $("npc-form").hidden = isVoice;
  $("voice-form").hidden = $("revisions").hidden = !isVoice;
  $("accent").value = "";
  if (isVoice) await showVoice(item);
  else showNpc(item);
}

async function showVoice(voice) {
  const isBuiltin = voice.source === "VOICE_SOURCE_BUILTIN", form = $("voice-form");
  const parts = voice.parents.map(({ voice, weight }) => `${voice} ${Math.round(100 * weight)} %`).join(" + ");
  $("subject-facts").textContent = [voice.id, `revision ${voice.revision}`, `made by ${SOURCES[voice.source] ?? "?"}${parts ? `: ${parts}` : ""}`, voice.tag].filter(Boolean).join(" · ");
  form.elements.displayName.value = voice.displayName;
  form.elements.licence.value = voice.licence;
  $("consent-facts").textContent = isBuiltin ? "Came with the model; read-only." : consentText(voice.consent);
  for (const control of [...form.elements]) control.disabled = isBuiltin && control.id !== "export";
  $("revoke").disabled = isBuiltin || !voice.consent || Boolean(voice.consent.revokeTime);
  await showRevisions(voice, isBuiltin);
}

async function showRevisions(voice, isBuiltin) {
  const revisions = [];
  if (isBuiltin) revisions.push(voice);
  else for await (const revision of all(app.client.voices.listVoiceRevisions, "voices", { id: voice.id })) revisions.push(revision);
  if (app.subject.id !== voice.id) return;
  const when = (time) => (time ? new Date(Number(time.seconds) * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }) : "–");
  const radio = (side, revision, isChosen) => el("td", {}, el("input", {
    type: "radio", name: side, value: revision, checked: isChosen, "aria-label": `Revision ${revision} as ${side.toUpperCase()}`,
  }));
  $("revision-rows").replaceChildren(...revisions.map((revision, index) => {
    const number = revision.revision, isNow = number === voice.revision;
    const back = el("button", { textContent: "Roll back", "aria-label": `Roll back to revision ${number}` });
    back.addEventListener("click", () => doing(() => rollBack(voice, number), back));
    return el("tr", {},
      el("td", {}, isNow ? el("strong", { textContent: `${number} now` }) : String(number)),
      el("td", { textContent: when(revision.updateTime) }),
      el("td", { textContent: SOURCES[revision.source] ?? "?" }),
      el("td", {}, el("code", { textContent: revision.contentHash.slice(0, 8), title: "Equal hashes sound equal" })),
      radio("a", number, index === 0),
      radio("b", number, index === Math.min(1, revisions.length - 1)),
      el("td", {}, ...(isNow ? [] : [back])));
  }));
  $("compare").hidden = revisions.length < 2;
  $("compare-facts").textContent = "The line above, in two revisions.";
}

function showNpc(npc) {
  $("subject-facts").textContent = [npc.id, `revision ${npc.revision}`, `speaks with ${npc.voice}`, npc.accent].filter(Boolean).join(" · ");
  const { displayName, voice, accent, gainDb, pauseMs, seedPolicy } = $("npc-form").elements;
  displayName.value = npc.displayName;
  voice.value = npc.voice;
  accent.value = npc.accent;
  gainDb.value = npc.delivery?.gainDb ?? 0;
  pauseMs.value = npc.delivery?.pauseMs ?? 0;
  seedPolicy.value = npc.seedPolicy === "SEED_POLICY_VARY" ? "SEED_POLICY_VARY" : "SEED_POLICY_DERIVED";
}

// What is done

function request() {
  return app.subject.kind === "npc" ? { npc: app.subject.id } : { voice: app.subject.id };
}

async function speak() {
  if (!$("text").value.trim()) return $("text").focus();
  await doing(() => app.say(request()));
}

async function hear(...sides) {
  const heard = [];
  for (const side of sides) {
    const revision = document.querySelector(`input[name=${side}]:checked`).value;
    $("compare-facts").textContent = `${side.toUpperCase()}: revision ${revision}…`;
    const result = await app.say({ voice: `${app.subject.id}@${revision}`, vary: false });
    if (!result) return;
    heard.push(`${side.toUpperCase()}: revision ${revision}, ${(result.end.totalSamples / result.header.sampleRateHz).toFixed(2)} s, first sound ${Math.round(result.firstSoundMs)} ms`);
  }
  $("compare-facts").textContent = heard.join(" · ");
}

async function changed(text, kind, id) {
  await refresh();
  tell(text);
  if (id) go(kind, id);
  else {
    history.replaceState(null, "", " ");
    await show();
  }
}

async function rollBack(voice, revision) {
  await app.client.voices.rollBackVoice({ id: voice.id, revision, etag: voice.etag });
  await changed(`It sounds as revision ${revision} did.`, "voice", voice.id);
}

const voice = () => app.voices.get(app.subject.id);
const npc = () => app.npcs.get(app.subject.id);

$("say").addEventListener("submit", (event) => { event.preventDefault(); speak(); });
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); speak(); }
});
for (const [id, sides] of [["hear-a", ["a"]], ["hear-b", ["b"]], ["hear-both", ["a", "b"]]]) $(id).addEventListener("click", () => doing(() => hear(...sides)));

$("voice-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const { displayName, licence } = event.target.elements;
  doing(async () => {
    const { id, etag } = voice();
    await app.client.voices.updateVoice({ voice: { id, etag, displayName: displayName.value, licence: licence.value }, updateMask: { paths: ["display_name", "licence"] } });
    await changed("Saved.", "voice", id);
  });
});
$("export").addEventListener("click", () => doing(async () => {
  const { bundle, fileName } = await app.client.voices.exportVoice({ voice: app.subject.id });
  download(bundle, fileName);
}, $("export")));
$("revoke").addEventListener("click", async () => {
  const { id, etag } = voice();
  if (!(await confirmed(`Revoke the consent for ${id}? It falls silent at once, in every game, in all its revisions.`, "Revoke"))) return;
  await doing(async () => {
    await app.client.voices.revokeConsent({ id, etag });
    await changed("Revoked: it does not speak any more.", "voice", id);
  });
});
$("delete-voice").addEventListener("click", async () => {
  const { id, etag } = voice();
  if (!(await confirmed(`Delete ${id}, with its revisions and recordings? This cannot be undone.`, "Delete"))) return;
  await doing(async () => {
    await app.client.voices.deleteVoice({ id, etag });
    await changed("Deleted.", "voice");
  });
});

$("npc-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const { displayName, voice, accent, gainDb, pauseMs, seedPolicy } = event.target.elements;
  doing(async () => {
    const { id, etag } = npc();
    const delivery = { gainDb: Number(gainDb.value), pauseMs: Number(pauseMs.value) };
    await app.client.npcs.updateNpc({
      npc: { id, etag, displayName: displayName.value, voice: voice.value, accent: accent.value, delivery, seedPolicy: seedPolicy.value },
      updateMask: { paths: ["display_name", "voice", "accent", "delivery.gain_db", "delivery.pause_ms", "seed_policy"] },
    });
    await changed("Saved: the next line has it.", "npc", id);
  });
});
$("delete-npc").addEventListener("click", async () => {
  const { id, etag } = npc();
  if (!(await confirmed(`Delete the NPC ${id}? Its voice stays.`, "Delete"))) return;
  await doing(async () => {
    await app.client.npcs.deleteNpc({ id, etag });
    await changed("Deleted.", "npc");
  });
});

const enrol = enrolDialog(app, (voice, reports) => {
  const seconds = reports.reduce((sum, report) => sum + report.speechS, 0);
  changed(`${voice.displayName || voice.id} can speak: ${seconds.toFixed(1)} s of speech were heard.`, "voice", voice.id);
});
const blend = blendDialog(app, (voice) => changed(`${voice.displayName || voice.id} can speak.`, "voice", voice.id));
const importForm = $("import").querySelector("form"), npcForm = $("new-npc").querySelector("form");
addConsent(importForm);
suggestId(npcForm);
const importing = formDialog("import", {
  fill() {},
  async send(form) {
    const { bundle, id } = form.elements, consent = consentIn(form);
    const { voice } = await app.client.voices.importVoice({ bundle: await bytesOf(bundle.files[0]), id: id.value, consent, requestId: crypto.randomUUID() });
    await changed(`${voice.displayName || voice.id} was imported.`, "voice", voice.id);
  },
});
const newNpc = formDialog("new-npc", {
  fill: (form) => (form.elements.voice.value = app.subject?.kind === "voice" ? app.subject.id : ""),
  async send(form) {
    const { displayName, id, voice, accent } = form.elements;
    await app.client.npcs.createNpc({ npc: { id: id.value, displayName: displayName.value, voice: voice.value, accent: accent.value }, requestId: crypto.randomUUID() });
    await changed(`${displayName.value} can speak.`, "npc", id.value);
  },
});
$("open-enrol").addEventListener("click", () => enrol.open());
$("re-enrol").addEventListener("click", () => enrol.open(voice()));
$("open-blend").addEventListener("click", () => blend.open(app.subject?.kind === "voice" ? voice() : undefined));
$("open-import").addEventListener("click", () => importing.open());
$("open-npc").addEventListener("click", () => newNpc.open());

// Around

$("search").addEventListener("input", showList);
for (const kind of ["voice", "npc"]) {
  $(`tab-${kind}`).addEventListener("click", () => { listKind(kind); doing(refresh); }); // games and other pages make some, too
  $(`tab-${kind}`).addEventListener("keydown", (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    const other = kind === "voice" ? "npc" : "voice";
    listKind(other);
    $(`tab-${other}`).focus();
  });
}
$("list").addEventListener("keydown", (event) => {
  const buttons = [...$("list").querySelectorAll("button")], at = buttons.indexOf(document.activeElement);
  const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
  if (at < 0 || next === undefined || !buttons[next]) return;
  event.preventDefault();
  buttons[next].focus();
});
$("search").addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown") { event.preventDefault(); $("list").querySelector("button")?.focus(); }
});
document.addEventListener("keydown", (event) => {
  const isTyping = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
  if (event.key === "/" && !isTyping) { event.preventDefault(); $("search").focus(); }
  if (event.key === "Escape" && !document.querySelector("dialog[open]")) app.speaker.stop();
});
$("project").addEventListener("change", () => {
  if (!$("project").checkValidity()) return $("project").reportValidity();
  app.client = new Client("", { project: $("project").value });
  doing(async () => { await refresh(); await show(); });
});
window.addEventListener("hashchange", () => doing(show));

async function watchLoad() {
  for (;;) {
    if (!document.hidden) {
      try {
        const { capacity } = await app.client.speech.getServerInfo({}, { timeoutMs: 5000 });
        $("load").max = capacity.numSlots;
        $("load").value = capacity.active;
        $("load-text").textContent = `${capacity.active} of ${capacity.numSlots} speaking${capacity.waiting ? `, ${capacity.waiting} waiting` : ""}`;
      } catch {
        $("load-text").textContent = "the server does not answer";
      }
    }
    await new Promise((resolve) => setTimeout(resolve, LOAD_EVERY_MS));
  }
}

$("insecure").hidden = Player.isSupported;
// Browsers open the sound card only after the user did something; the first line should not wait for it.
const prepare = () => app.rateHz && Player.isSupported && app.speaker.player.prepare(app.rateHz).catch(() => {});
for (const kind of ["pointerdown", "keydown"]) document.addEventListener(kind, prepare, { once: true });
doing(async () => { await refresh(); await show(); });
watchLoad();
