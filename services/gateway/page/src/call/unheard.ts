/**
 * What the user said that is in no item yet: lost with a connection, unless it is sent again.
 *
 * Between turns a second is enough, for the beginning of a word that nobody has noticed. From there to the turn's
 * end all of it is kept, within reason.
 */

const BETWEEN_TURNS = 50; // blocks of 20 ms
const MOST = 1500;

export class Unheard {
  private blocks: string[] = [];
  private speaking = false;

  /** A block that was sent, or could not be. `kept` keeps it in any case, as while there is no connection. */
  add(block: string, kept: boolean): void {
    this.blocks.push(block);
    if (kept) this.speaking = true;
    const most = this.speaking ? MOST : BETWEEN_TURNS;
    if (this.blocks.length > most) this.blocks.splice(0, this.blocks.length - most);
  }

  speechStarted(): void {
    this.speaking = true;
  }

  /** The turn is an item of the session. */
  committed(): void {
    this.blocks = [];
    this.speaking = false;
  }

  /** What a new connection has to be told. */
  takeAll(): string[] {
    const blocks = this.blocks;
    this.committed();
    return blocks;
  }
}
