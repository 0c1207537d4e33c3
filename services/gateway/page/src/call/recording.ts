/** Both sides of a call as they sounded: the user on the left, the answers on the right. */

import { RATE } from "../audio/pcm.ts";

interface Block {
  at: number;
  pcm: Int16Array;
}

const MOST = 20 * 60 * RATE; // twenty minutes: 115 MB of memory, both sides together
const HEADER_BYTES = 44;

export class CallRecording {
  private readonly user: Block[] = [];
  private readonly answers: Block[] = [];
  private length = 0;
  private userEnd: number | null = null;

  get isEmpty(): boolean {
    return this.length === 0;
  }

  /** A block of the microphone's; the first one, and the first after a pause, came at sample `now`. */
  heard(pcm: Int16Array, now: number): void {
    const behind = this.userEnd === null || now - this.userEnd > RATE;
    const at = behind ? now - pcm.length : (this.userEnd as number);
    this.userEnd = at + pcm.length;
    this.add(this.user, Math.max(0, at), pcm);
  }

  /** What sounded from sample `at`. */
  sounded(at: number, pcm: Int16Array): void {
    this.add(this.answers, at, pcm);
  }

  /** A WAV file: 16 bits, two channels. */
  toWav(): Blob {
    const file = new DataView(new ArrayBuffer(HEADER_BYTES + this.length * 4));
    writeHeader(file, this.length * 4);
    for (const [channel, blocks] of [this.user, this.answers].entries()) {
      for (const { at, pcm } of blocks) {
        for (let n = 0; n < pcm.length; n++) {
          file.setInt16(HEADER_BYTES + (at + n) * 4 + channel * 2, pcm[n] as number, true);
        }
      }
    }
    return new Blob([file.buffer], { type: "audio/wav" });
  }

  private add(blocks: Block[], at: number, pcm: Int16Array): void {
    if (at + pcm.length > MOST) return;
    blocks.push({ at, pcm });
    this.length = Math.max(this.length, at + pcm.length);
  }
}

function writeHeader(file: DataView, bytes: number): void {
  const text = (at: number, value: string) => {
    for (let n = 0; n < value.length; n++) file.setUint8(at + n, value.charCodeAt(n));
  };
  text(0, "RIFF");
  file.setUint32(4, HEADER_BYTES - 8 + bytes, true);
  text(8, "WAVEfmt ");
  file.setUint32(16, 16, true);
  file.setUint16(20, 1, true);
  file.setUint16(22, 2, true);
  file.setUint32(24, RATE, true);
  file.setUint32(28, RATE * 4, true);
  file.setUint16(32, 4, true);
  file.setUint16(34, 16, true);
  text(36, "data");
  file.setUint32(40, bytes, true);
}
