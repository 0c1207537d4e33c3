/** Plays what the page pushes; tells how far it is, and what sounded at which frame. */

import { toInt16 } from "./pcm.ts";
import { PlaybackQueue } from "./playback_queue.ts";
import type { FromWorklet, ToWorklet } from "./speaker_messages.ts";

const REPORT_FRAMES = 960; // 40 ms
const BLOCK = 1920; // of what sounded

class Playback extends AudioWorkletProcessor {
  private readonly queue = new PlaybackQueue();
  private reportAt = 0;
  private wasBusy = false;
  private block = new Float32Array(BLOCK);
  private blockFrame = 0;
  private blockFilled = 0;

  constructor() {
    super();
    this.port.onmessage = (message: MessageEvent<ToWorklet>) => this.take(message.data);
  }

  process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const out = outputs[0]?.[0];
    if (!out) return true;
    this.sounded(out, this.queue.pull(out));
    const busy = this.queue.busy;
    if ((busy && currentFrame >= this.reportAt) || busy !== this.wasBusy) this.report(busy);
    return true;
  }

  private take(message: ToWorklet): void {
    if (message.kind === "push") {
      if (!this.queue.push(message.itemId, message.pcm)) this.tell({ kind: "overflow" });
    } else if (message.kind === "end") {
      this.queue.end(message.itemId);
      this.report(this.queue.busy);
    } else {
      this.tell({ kind: "cut", played: this.queue.cut() });
      this.report(false);
    }
  }

  private sounded(out: Float32Array, filled: number): void {
    if (filled) {
      if (this.blockFilled === 0) this.blockFrame = currentFrame;
      this.block.set(out.subarray(0, filled), this.blockFilled);
      this.blockFilled += filled;
    }
    if (this.blockFilled && (filled < out.length || this.blockFilled + out.length > BLOCK)) {
      const pcm = toInt16(this.block.subarray(0, this.blockFilled));
      this.tell({ kind: "sound", frame: this.blockFrame, pcm }, [pcm.buffer]);
      this.blockFilled = 0;
    }
  }

  private report(busy: boolean): void {
    this.wasBusy = busy;
    this.reportAt = currentFrame + REPORT_FRAMES;
    this.tell({ kind: "progress", played: this.queue.progress(), busy });
  }

  private tell(message: FromWorklet, moved: Transferable[] = []): void {
    this.port.postMessage(message, moved);
  }
}

registerProcessor("playback", Playback);
