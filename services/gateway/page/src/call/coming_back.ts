/** Whether and when a call that lost its connection is made again. */

import { GatewayError } from "../protocol/gateway_api.ts";

const FIRST_MS = 200;
const LONGEST_MS = 5_000;
const WINDOW_MS = 90_000;
// 1001 is also sent when the session is too old, and 1008 when it is somebody else's: those are told before.
const AGAIN = new Set([1001, 1005, 1006, 1011, 1012, 1013, 1015]);
const HOPELESS = new Set([400, 401, 403, 404, 409]);

export function mayComeBack(code: number): boolean {
  return AGAIN.has(code);
}

/** Whether asking again would be of no use. */
export function isHopeless(error: unknown): boolean {
  return !(error instanceof GatewayError) || HOPELESS.has(error.status);
}

/** The pauses between tries: growing, uneven so that callers do not come all at once, and not for ever. */
export class Tries {
  private count = 0;
  private readonly began: number;

  constructor(now: number) {
    this.began = now;
  }

  /** Milliseconds until the next one, null when it is time to give up; `random`: 0 to 1. */
  next(now: number, askedS: number | null, random: number): number | null {
    if (now - this.began > WINDOW_MS) return null;
    const pause = Math.min(LONGEST_MS, FIRST_MS * 2 ** this.count);
    this.count += 1;
    return Math.max(pause * (0.5 + random / 2), Math.min((askedS ?? 0) * 1000, LONGEST_MS));
  }
}
