/**
 * The sound that waits to be played, and an account of what was: a jitter buffer that can be cut at a sample.
 *
 * Playing begins when `targetSamples` wait, or the item is complete. Each time the buffer runs dry in the middle of
 * an item, the network is less even than was thought, and the target grows; an item that ends well lowers it.
 */

export interface Played {
  itemId: string;
  /** Samples of the item that were given out. */
  samples: number;
  /** Whether that was all of it. */
  whole: boolean;
}

interface Part {
  itemId: string;
  pcm: Int16Array;
  at: number;
}

const LEAST = 960; // 40 ms at 24 kHz
const MOST = 4800;
const UP = 960;
const DOWN = 480;
// Two minutes: the gateway sends a few seconds ahead. What comes beyond is a fault, and is not kept.
const MOST_WAITING = 120 * 24_000;

export class PlaybackQueue {
  private parts: Part[] = [];
  private waiting = 0;
  private target = LEAST;
  private running = false;
  private readonly ended = new Set<string>();
  private readonly account = new Map<string, number>();
  private whole: Played[] = [];

  /** Whether sound waits to be played. */
  get busy(): boolean {
    return this.waiting > 0;
  }

  get targetSamples(): number {
    return this.target;
  }

  /** Whether there was room. */
  push(itemId: string, pcm: Int16Array): boolean {
    if (this.waiting + pcm.length > MOST_WAITING) return false;
    if (!this.account.has(itemId)) this.account.set(itemId, 0);
    if (pcm.length) this.parts.push({ itemId, pcm, at: 0 });
    this.waiting += pcm.length;
    return true;
  }

  /** All of the item has been pushed. */
  end(itemId: string): void {
    if (!this.account.has(itemId)) return;
    this.ended.add(itemId);
    this.closeIfPlayed(itemId);
  }

  /** Fill `out` (full scale is 1) with what is next, and zeros after it. Returns the samples of sound in it. */
  pull(out: Float32Array): number {
    if (!this.running && this.mayStart()) this.running = true;
    let filled = 0;
    while (this.running && filled < out.length) {
      const part = this.parts[0];
      if (part === undefined) {
        this.ranDry();
        break;
      }
      const count = Math.min(out.length - filled, part.pcm.length - part.at);
      for (let n = 0; n < count; n++) out[filled + n] = (part.pcm[part.at + n] as number) / 32768;
      filled += count;
      this.advance(part, count);
    }
    out.fill(0, filled);
    return filled;
  }

  /** Drop everything at once. How far each item came, in order. */
  cut(): Played[] {
    const played = this.progress();
    this.parts = [];
    this.waiting = 0;
    this.running = false;
    this.ended.clear();
    this.account.clear();
    return played;
  }

  /** How far each item is; one that was played to its end is told once. */
  progress(): Played[] {
    const whole = this.whole;
    this.whole = [];
    return [...whole, ...[...this.account].map(([itemId, samples]) => ({ itemId, samples, whole: false }))];
  }

  private mayStart(): boolean {
    const first = this.parts[0];
    return first !== undefined && (this.waiting >= this.target || this.ended.has(first.itemId));
  }

  private advance(part: Part, count: number): void {
    part.at += count;
    this.waiting -= count;
    this.account.set(part.itemId, (this.account.get(part.itemId) ?? 0) + count);
    if (part.at < part.pcm.length) return;
    this.parts.shift();
    this.closeIfPlayed(part.itemId);
  }

  private ranDry(): void {
    this.running = false;
    const amidAnItem = this.account.size > 0;
    this.target = amidAnItem ? Math.min(MOST, this.target + UP) : Math.max(LEAST, this.target - DOWN);
  }

  private closeIfPlayed(itemId: string): void {
    if (!this.ended.has(itemId) || this.parts.some((part) => part.itemId === itemId)) return;
    this.whole.push({ itemId, samples: this.account.get(itemId) ?? 0, whole: true });
    this.ended.delete(itemId);
    this.account.delete(itemId);
  }
}
