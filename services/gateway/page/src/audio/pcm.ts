/** Samples on the wire: base64 of signed 16-bit little-endian mono PCM at 24 kHz. */

export const RATE = 24_000;

const SLICE = 8192; // `fromCharCode` takes its characters as arguments, of which there may not be too many

export function toBase64(samples: Int16Array): string {
  const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
  let text = "";
  for (let at = 0; at < bytes.length; at += SLICE) text += String.fromCharCode(...bytes.subarray(at, at + SLICE));
  return btoa(text);
}

/** An odd last byte is dropped: half a sample is no sound. */
export function fromBase64(text: string): Int16Array<ArrayBuffer> {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length & ~1);
  for (let at = 0; at < bytes.length; at++) bytes[at] = binary.charCodeAt(at);
  return new Int16Array(bytes.buffer);
}

export function toInt16(samples: Float32Array): Int16Array<ArrayBuffer> {
  const out = new Int16Array(samples.length);
  for (let at = 0; at < samples.length; at++) {
    out[at] = Math.round(Math.max(-1, Math.min(1, samples[at] as number)) * 32767);
  }
  return out;
}

/** Root mean square, 0 to 1. */
export function level(samples: Int16Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return samples.length ? Math.sqrt(sum / samples.length) / 32768 : 0;
}
