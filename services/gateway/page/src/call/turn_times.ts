/** Where the time of each turn went, and how long answers take. */

import type { TurnMetrics } from "../protocol/events.ts";

export const STAGES = ["endpointing_ms", "asr_ms", "llm_first_token_ms", "first_sentence_ms", "tts_first_chunk_ms"] as const;
export type TurnStage = (typeof STAGES)[number];

export interface Turn {
  number: number;
  /** Whether it answers something that was said, and not written. */
  spoken: boolean;
  metrics: TurnMetrics;
  traceId: string;
  notices: string[];
}

const MOST_TURNS = 500;

export class TurnTimes {
  readonly turns: Turn[] = [];
  private count = 0;

  add(spoken: boolean, metrics: TurnMetrics, traceId: string, notices: string[]): void {
    this.count += 1;
    this.turns.push({ number: this.count, spoken, metrics, traceId, notices });
    if (this.turns.length > MOST_TURNS) this.turns.shift();
  }

  /** Of voice to voice, in ms, by the nearest rank; null before the first spoken turn. */
  percentile(share: number): number | null {
    const totals = this.turns
      .filter((turn) => turn.spoken) // a typed turn has no voice to begin with
      .map((turn) => turn.metrics.total_ms)
      .filter((total) => total !== null)
      .sort((a, b) => a - b);
    return totals[Math.max(0, Math.ceil(share * totals.length) - 1)] ?? null;
  }
}
