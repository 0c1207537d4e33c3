/** The sound of the answers: pushed by item, played by a worklet, cut at a sample. */

import { RATE } from "./pcm.ts";
import type { Played } from "./playback_queue.ts";
import worklet from "./playback.worklet.ts?worker&url";
import type { FromWorklet, ToWorklet } from "./speaker_messages.ts";

export interface SpeakerListener {
  progress(played: Played[], busy: boolean): void;
  /** What `cut` cut. */
  cut(played: Played[]): void;
  /** `at`: samples since the speaker was opened. */
  sounded(at: number, pcm: Int16Array): void;
  overflow(): void;
}

export class Speaker {
  private readonly context: AudioContext;
  private readonly node: AudioWorkletNode;

  private constructor(context: AudioContext, node: AudioWorkletNode) {
    this.context = context;
    this.node = node;
  }

  /** Whether the browser plays sound here: to pages that could have been changed on their way it gives no worklets. */
  static get possible(): boolean {
    return globalThis.isSecureContext;
  }

  /** To be called where the user has just pressed something: browsers keep pages silent until then. */
  static async open(listener: SpeakerListener): Promise<Speaker> {
    const context = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
    await context.audioWorklet.addModule(worklet);
    const node = new AudioWorkletNode(context, "playback", { numberOfInputs: 0, outputChannelCount: [1] });
    node.connect(context.destination);
    node.port.onmessage = (message: MessageEvent<FromWorklet>) => {
      const told = message.data;
      if (told.kind === "progress") listener.progress(told.played, told.busy);
      else if (told.kind === "cut") listener.cut(told.played);
      else if (told.kind === "sound") listener.sounded(told.frame, told.pcm);
      else listener.overflow();
    };
    await context.resume();
    return new Speaker(context, node);
  }

  /** Samples between what is given out and what is heard. */
  get latencySamples(): number {
    const seconds = this.context.outputLatency || this.context.baseLatency || 0;
    return Math.round(seconds * RATE);
  }

  /** Samples since it was opened. */
  get now(): number {
    return Math.round(this.context.currentTime * RATE);
  }

  push(itemId: string, pcm: Int16Array<ArrayBuffer>): void {
    this.tell({ kind: "push", itemId, pcm }, [pcm.buffer]);
  }

  end(itemId: string): void {
    this.tell({ kind: "end", itemId });
  }

  cut(): void {
    this.tell({ kind: "cut" });
  }

  async close(): Promise<void> {
    this.node.disconnect();
    await this.context.close();
  }

  private tell(message: ToWorklet, moved: Transferable[] = []): void {
    this.node.port.postMessage(message, moved);
  }
}
