// The official Connect client's gRPC-Web transport against our server. Messages are read by a descriptor set, so that
// nothing of ours is in it. Prints what it saw as JSON.
import { readFileSync } from "node:fs";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";

const [baseUrl, descriptors, wav] = process.argv.slice(2);
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(descriptors)));
const transport = createGrpcWebTransport({ baseUrl, useBinaryFormat: true });
const client = (name) => createClient(registry.getService(name), transport);
const speech = client("kani_npc.v1.SpeechService");
const voices = client("kani_npc.v1.VoiceService");
const health = client("grpc.health.v1.Health");
const UNPACED = 2, SYNTHETIC = 3;
const seen = {};

async function failure(work) {
  try {
    await work();
    return "no error";
  } catch (error) {
    const { code, rawMessage } = ConnectError.from(error);
    return { error, code: Code[code], message: rawMessage };
  }
}

async function line(request, options) {
  const said = { header: 0, audio: 0, end: 0, samples: 0, total: -1 };
  for await (const { event } of speech.synthesize(request, options)) {
    said[event.case] += 1;
    if (event.case === "audio") said.samples += event.value.data.length / 2;
    if (event.case === "end") said.total = Number(event.value.totalSamples);
  }
  return said;
}

seen.info = (await speech.getServerInfo({})).model.name;
seen.health = (await health.check({})).status;
seen.line = await line({ text: "Halt!", pace: UNPACED });
seen.together = await Promise.all(Array.from({ length: 16 }, () => line({ text: "Halt!", pace: UNPACED })));

const bad = await failure(() => line({ text: "" }));
const details = bad.error.details.map((detail) => detail.type);
seen.bad = { code: bad.code, message: bad.message, details };

const { code, message } = await failure(() => voices.getVoice({ id: "nobody" }));
seen.unknown = { code, message };

seen.late = (await failure(() => line({ text: "x".repeat(500) }, { timeoutMs: 400 }))).code;

const leave = new AbortController();
let heard = 0;
seen.left = (await failure(async () => {
  for await (const { event } of speech.synthesize({ text: "x".repeat(500) }, { signal: leave.signal })) {
    if (event.case === "audio" && ++heard === 3) leave.abort();
  }
})).code;

const made = await voices.enrollVoice({ voice: { id: "ada", consent: { kind: SYNTHETIC } }, clips: [readFileSync(wav)] });
seen.enrolled = { id: made.voice.id, revision: made.voice.revision, speechS: made.clips[0].speechS, fileFormat: made.clips[0].fileFormat };
seen.spoken = await line({ text: "Halt!", voice: "ada", pace: UNPACED });

const names = async (options) => (await voices.listVoices({}, options)).voices.map((voice) => voice.id);
seen.here = await names();
seen.elsewhere = await names({ headers: { "kani-project": "elsewhere" } });
console.log(JSON.stringify(seen));
