// clients/web against a server, in node; prints what it saw as JSON.
import { Client, all } from "../../clients/web/kani-npc/index.js";

const [url] = process.argv.slice(2);
const client = new Client(url), seen = {};

async function failure(work) {
  try { await work(); return {}; } catch (error) { return error; }
}

async function line(client, request, options) {
  const said = { header: 0, audio: 0, end: 0, samples: 0 };
  for await (const event of client.synthesize(request, options)) {
    for (const kind of ["header", "audio", "end"]) if (event[kind]) said[kind] += 1;
    said.samples += event.audio?.samples.length ?? 0;
  }
  return said;
}

async function names(client) {
  const found = [];
  for await (const voice of all(client.voices.listVoices, "voices", { pageSize: 1 })) found.push(voice.id);
  return found;
}

seen.line = await line(client, { text: "Halt!", pace: "PACE_UNPACED" });
let error = await failure(() => line(client, { text: "" }));
seen.bad = [error.status, error.reason, error.field];
error = await failure(() => client.voices.getVoice({ id: "nobody" }));
seen.unknown = [error.status, error.reason];
const voice = { id: "troll", consent: { kind: "CONSENT_KIND_SYNTHETIC" }, labels: { role: "bridge" } };
const made = await client.voices.createVoice({ voice });
error = await failure(() => client.voices.createVoice({ voice }));
seen.twice = [error.status, error.metadata.etag === made.voice.etag];
seen.names = await names(client);
seen.elsewhere = await names(new Client(url, { project: "elsewhere" }));
const long = { text: "Halt! ".repeat(90) };
seen.late = (await failure(() => line(client, long, { timeoutMs: 400 }))).status;
const leave = new AbortController();
setTimeout(() => leave.abort(), 300);
seen.left = (await failure(() => line(client, long, { signal: leave.signal }))).status;
seen.misspelt = (await failure(() => line(client, { txt: "Halt!" }))).message;
seen.nobody = (await failure(() => line(new Client("http://127.0.0.1:9"), { text: "Halt!" }))).status;
console.log(JSON.stringify(seen));
