/** The microphone's samples, at 24 kHz, in blocks of 20 ms. */

import { RATE, toInt16 } from "./pcm.ts";
import { Resampler } from "./resampler.ts";

const BLOCK = RATE / 50;

class Capture extends AudioWorkletProcessor {
  private readonly resampler = sampleRate === RATE ? null : new Resampler(sampleRate, RATE);
  private readonly block = new Float32Array(BLOCK);
  private filled = 0;

  process(inputs: Float32Array[][]): boolean {
    const heard = inputs[0]?.[0];
    if (heard) this.take(this.resampler ? this.resampler.push(heard) : heard);
    return true;
  }

  private take(samples: Float32Array): void {
    for (const sample of samples) {
      this.block[this.filled++] = sample;
      if (this.filled < BLOCK) continue;
      this.filled = 0;
      const pcm = toInt16(this.block);
      this.port.postMessage(pcm, [pcm.buffer]);
    }
  }
}

registerProcessor("capture", Capture);
