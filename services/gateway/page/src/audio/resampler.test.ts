import assert from "node:assert/strict";
import test from "node:test";
import { fromBase64, toBase64, toInt16 } from "./pcm.ts";
import { Resampler } from "./resampler.ts";

function tone(rate: number, hz: number, seconds: number): Float32Array {
  return Float32Array.from({ length: rate * seconds }, (_, at) => Math.sin((2 * Math.PI * hz * at) / rate));
}

function loudness(samples: Float32Array): number {
  return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
}

function inBlocks(input: Float32Array, from: number, size: number): Float32Array {
  const resampler = new Resampler(from, 24_000);
  const parts: number[] = [];
  for (let at = 0; at < input.length; at += size) parts.push(...resampler.push(input.subarray(at, at + size)));
  return Float32Array.from(parts);
}

for (const rate of [16_000, 44_100, 48_000]) {
  test(`speech from ${rate} Hz keeps its length and its level`, () => {
    const out = inBlocks(tone(rate, 1000, 1), rate, 128);
    assert.ok(Math.abs(out.length - 24_000) < 100, String(out.length));
    assert.ok(Math.abs(loudness(out.subarray(200, -200)) - Math.SQRT1_2) < 0.02, String(loudness(out)));
  });
}

test("what a lower rate cannot hold does not fold back into what is heard", () => {
  assert.ok(loudness(inBlocks(tone(48_000, 17_000, 1), 48_000, 128)) < 0.02);
});

test("how the stream is cut makes no difference", () => {
  const input = tone(44_100, 440, 0.5);
  const [small, large] = [inBlocks(input, 44_100, 128), inBlocks(input, 44_100, 4096)];
  for (let at = 0; at < Math.min(small.length, large.length); at++) {
    assert.ok(Math.abs((small[at] as number) - (large[at] as number)) < 1e-4);
  }
});

test("samples survive the wire, beyond full scale as full scale", () => {
  const pcm = toInt16(Float32Array.from([0, 0.5, -0.5, 2, -2]));
  assert.deepEqual([...pcm], [0, 16384, -16383, 32767, -32767]);
  assert.deepEqual(fromBase64(toBase64(pcm)), pcm);
});
