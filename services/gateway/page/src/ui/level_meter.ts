/** A meter of loudness, on a scale as ears have it: 0 at -60 dB, 1 at full. */

import { byId } from "./dom.ts";

const FLOOR_DB = -60;
const FALL = 0.85; // of what is shown stays, each time it is shown

export class LevelMeter {
  private readonly meter: HTMLMeterElement;
  private wanted = 0;

  constructor(id: string) {
    this.meter = byId(id, HTMLMeterElement);
  }

  /** `level`: root mean square, 0 to 1. */
  take(level: number): void {
    const db = 20 * Math.log10(Math.max(level, 1e-6));
    this.wanted = Math.max(this.wanted, Math.min(1, Math.max(0, 1 - db / FLOOR_DB)));
  }

  /** `live`: something may sound. */
  show(live: boolean): void {
    if (!live) this.meter.value = this.wanted = 0;
    const shown = Math.max(this.wanted, this.meter.value * FALL);
    this.meter.value = shown < 0.01 ? 0 : shown;
    this.wanted = 0;
  }
}
