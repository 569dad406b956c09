// Reads and writes messages with clients/web/kani-npc/wire.js: lines of {type, hex} on stdin's file, one JSON list out.
import { readFileSync } from "node:fs";
import * as messages from "../../clients/web/kani-npc/messages.js";
import { WireError, decode, encode } from "../../clients/web/kani-npc/wire.js";

const types = new Map(Object.values(messages).filter((value) => value.name).map((type) => [type.name, type]));
const results = JSON.parse(readFileSync(process.argv[2])).map(({ type, hex }) => {
  try {
    return Buffer.from(encode(types.get(type), decode(types.get(type), Buffer.from(hex, "hex")))).toString("hex");
  } catch (error) {
    if (error instanceof WireError) return null;
    throw error;
  }
});
console.log(JSON.stringify(results));
