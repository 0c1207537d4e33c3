import assert from "node:assert/strict";
import test from "node:test";
import { PlaybackQueue } from "./playback_queue.ts";

const QUANTUM = 128;

function pull(queue: PlaybackQueue, count = QUANTUM): Float32Array {
  const out = new Float32Array(count);
  queue.pull(out);
  return out;
}

function ramp(count: number, from = 1): Int16Array {
  return Int16Array.from({ length: count }, (_, at) => from + at);
}

test("nothing is played before enough waits, and all of it afterwards, sample by sample", () => {
  const queue = new PlaybackQueue();
  queue.push("a", ramp(900));
  assert.deepEqual(pull(queue), new Float32Array(QUANTUM));
  queue.push("a", ramp(900, 901));
  const heard = Array.from({ length: 14 }, () => [...pull(queue)]).flat();
  assert.deepEqual(heard.map((sample) => Math.round(sample * 32768)), [...ramp(1792)]);
});

test("a short item that is complete does not wait for more", () => {
  const queue = new PlaybackQueue();
  queue.push("a", ramp(10));
  queue.end("a");
  assert.equal(Math.round((pull(queue)[9] as number) * 32768), 10);
  assert.deepEqual(queue.progress(), [{ itemId: "a", samples: 10, whole: true }]);
  assert.deepEqual(queue.progress(), []);
});

test("a cut tells to the sample what was played, and what follows begins anew", () => {
  const queue = new PlaybackQueue();
  queue.push("a", ramp(2000));
  queue.push("b", ramp(2000));
  queue.end("a");
  pull(queue, 1500);
  assert.deepEqual(queue.cut(), [
    { itemId: "a", samples: 1500, whole: false },
    { itemId: "b", samples: 0, whole: false },
  ]);
  assert.equal(queue.busy, false);
  assert.deepEqual(pull(queue), new Float32Array(QUANTUM));
  assert.deepEqual(queue.cut(), []);
});

test("a gap makes the buffer longer, an even item shorter again, within bounds", () => {
  const queue = new PlaybackQueue();
  const least = queue.targetSamples;
  for (let gap = 0; gap < 20; gap++) {
    queue.push("a", ramp(queue.targetSamples));
    pull(queue, queue.targetSamples + QUANTUM);
  }
  assert.equal(queue.targetSamples, 4800);
  for (let item = 0; item < 20; item++) {
    queue.push(`b${item}`, ramp(100));
    queue.end("a");
    queue.end(`b${item}`);
    pull(queue, 200);
  }
  assert.equal(queue.targetSamples, least);
});

test("what nobody could listen to is not kept", () => {
  const queue = new PlaybackQueue();
  const minute = new Int16Array(60 * 24_000);
  assert.ok(queue.push("a", minute));
  assert.ok(queue.push("a", minute));
  assert.ok(!queue.push("a", ramp(1)));
});
