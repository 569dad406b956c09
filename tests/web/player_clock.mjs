// The worklet of clients/web on a clock that no other program slows down: frames of 80 ms that arrive when a server which is
// just as fast as speech would have made them, up to `late` seconds late, and blocks of 128 samples taken as by a sound card.
const RATE = 22050, FRAME = 1764, FRAMES = 60, BLOCK = 128;

globalThis.sampleRate = RATE;
globalThis.AudioWorkletProcessor = class {
  port = { postMessage() {} };
};
let Ring;
globalThis.registerProcessor = (name, worklet) => (Ring = worklet);
await import("../../clients/web/kani-npc/player-worklet.js");

function take(seed, late) {
  let state = seed;
  const random = () => (state = (state * 48271) % 2147483647) / 2147483647;
  const ring = new Ring({ processorOptions: { capacity: 16 * RATE, prebuffer: Math.round(0.12 * RATE) } });
  ring.hear({ begin: 1 });
  const heard = [];
  let sent = 0, lateness = late * random();
  for (let block = 0; !ring.isDone && block < 1e5; block++) {
    globalThis.currentTime = (block * BLOCK) / RATE;
    while (sent < FRAMES && ((sent + 1) * FRAME) / RATE + lateness <= currentTime) {
      ring.hear({ line: 1, samples: Float32Array.from({ length: FRAME }, (_, i) => 1 + sent * FRAME + i) });
      if (++sent === FRAMES) ring.hear({ line: 1, end: true });
      lateness = late * random();
    }
    const output = new Float32Array(BLOCK);
    ring.process([], [[output]]);
    heard.push(...output.filter((sample) => sample !== 0));
  }
  return { played: ring.head, underruns: ring.underruns, isSame: heard.every((sample, i) => sample === i + 1) };
}

const takes = (count, late) => Array.from({ length: count }, (_, i) => take(i + 1, late));
console.log(JSON.stringify({ total: FRAMES * FRAME, steady: takes(20, 0.04), late: takes(10, 0.5) }));
