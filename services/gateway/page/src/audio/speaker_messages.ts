/** What the page and its playback worklet tell each other. */

import type { Played } from "./playback_queue.ts";

export type ToWorklet =
  | { kind: "push"; itemId: string; pcm: Int16Array }
  | { kind: "end"; itemId: string }
  | { kind: "cut" };

export type FromWorklet =
  | { kind: "progress"; played: Played[]; busy: boolean }
  | { kind: "cut"; played: Played[] }
  | { kind: "sound"; frame: number; pcm: Int16Array }
  | { kind: "overflow" };
