/**
 * Streaming resampler by windowed sinc: not every browser records at the rate that is asked for.
 *
 * The filter's cutoff lies below half the lower of both rates, so that what cannot be kept does not fold back
 * into what can be heard. Between two inputs it is the same whatever way the stream is cut into blocks.
 */

const HALF_TAPS = 16; // zero crossings on either side
const PHASES = 256;

export class Resampler {
  private readonly step: number;
  private readonly half: number;
  private readonly kernel: Float32Array;
  private kept: Float32Array;
  private position: number; // of the next output, in inputs from the start of `kept`

  constructor(from: number, to: number) {
    this.step = from / to;
    const cutoff = Math.min(1, to / from) * (from === to ? 1 : 0.92);
    this.half = Math.ceil(HALF_TAPS / cutoff);
    this.kernel = kernelOf(this.half, cutoff);
    this.kept = new Float32Array(this.half);
    this.position = this.half;
  }

  /** The outputs that the inputs so far allow for: they lag by half the filter's length. */
  push(input: Float32Array): Float32Array {
    const all = new Float32Array(this.kept.length + input.length);
    all.set(this.kept);
    all.set(input, this.kept.length);
    const out: number[] = [];
    while (Math.floor(this.position) + this.half < all.length) {
      out.push(this.at(all, this.position));
      this.position += this.step;
    }
    const done = Math.max(0, Math.floor(this.position) - this.half);
    this.kept = all.slice(done);
    this.position -= done;
    return Float32Array.from(out);
  }

  private at(all: Float32Array, position: number): number {
    const middle = Math.floor(position);
    const phase = Math.round((position - middle) * PHASES);
    let sum = 0;
    for (let tap = -this.half + 1; tap <= this.half; tap++) {
      const distance = Math.abs(tap * PHASES - phase);
      sum += (all[middle + tap] ?? 0) * (this.kernel[distance] ?? 0);
    }
    return sum;
  }
}

/** One wing of the filter, `PHASES` values for each input. */
function kernelOf(half: number, cutoff: number): Float32Array {
  const wing = new Float32Array(half * PHASES + 1);
  for (let at = 0; at < wing.length; at++) {
    const x = at / PHASES;
    const sinc = x === 0 ? 1 : Math.sin(Math.PI * x * cutoff) / (Math.PI * x * cutoff);
    const window = 0.5 + 0.5 * Math.cos((Math.PI * x) / half); // Hann
    wing[at] = sinc * window * cutoff;
  }
  return wing;
}
