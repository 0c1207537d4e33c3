/** The user's voice, in blocks of 20 ms at 24 kHz, with what the browser has against echo and noise asked for. */

import worklet from "./capture.worklet.ts?worker&url";

export type MicrophoneProblem = "insecure" | "denied" | "missing" | "busy" | "lost";

/** There is no sound of the user. */
export class MicrophoneError extends Error {
  readonly problem: MicrophoneProblem;

  constructor(problem: MicrophoneProblem) {
    super(`microphone: ${problem}`);
    this.problem = problem;
  }
}

export class Microphone {
  muted = false;
  private readonly context: AudioContext;
  private readonly stream: MediaStream;

  private constructor(context: AudioContext, stream: MediaStream) {
    this.context = context;
    this.stream = stream;
  }

  /** `heard` gets each block, silence while muted; `lost` is told when the device goes. Throws MicrophoneError. */
  static async open(heard: (pcm: Int16Array<ArrayBuffer>) => void, lost: () => void): Promise<Microphone> {
    const stream = await ask();
    const context = new AudioContext({ latencyHint: "interactive" });
    const microphone = new Microphone(context, stream);
    try {
      await context.audioWorklet.addModule(worklet);
      const node = new AudioWorkletNode(context, "capture", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
      node.port.onmessage = (message: MessageEvent<Int16Array<ArrayBuffer>>) => {
        heard(microphone.muted ? message.data.fill(0) : message.data);
      };
      context.createMediaStreamSource(stream).connect(node);
      for (const track of stream.getAudioTracks()) track.addEventListener("ended", lost);
      await context.resume();
    } catch (error) {
      await microphone.close();
      throw error;
    }
    return microphone;
  }

  async close(): Promise<void> {
    for (const track of this.stream.getTracks()) track.stop();
    await this.context.close();
  }
}

async function ask(): Promise<MediaStream> {
  // Browsers leave the devices out altogether where a page could have been changed on its way.
  if (!globalThis.isSecureContext || !navigator.mediaDevices) throw new MicrophoneError("insecure");
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
  } catch (error) {
    throw new MicrophoneError(problemOf(error));
  }
}

function problemOf(error: unknown): MicrophoneProblem {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "denied";
  if (name === "NotFoundError" || name === "OverconstrainedError") return "missing";
  return "busy";
}
