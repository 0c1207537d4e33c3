/**
 * The words of an answer in step with its sound.
 *
 * Both come sooner than they are played, and the text sooner than the sound. Where in the sound a word is, nobody
 * says: the text is spread over it by its length, a Chinese character counting for three letters. Until all sound
 * has come, its length is guessed. What was shown is never taken back.
 */

const SAMPLES_A_LETTER = 1600; // 15 letters a second at 24 kHz
const HAN = /\p{Script=Han}/u;
const WORD = /[\p{Letter}\p{Number}'’-]/u;

export class SpokenText {
  text = "";
  samples = 0;
  /** All sound has come. */
  complete = false;
  private shown = 0;

  addText(delta: string): void {
    this.text += delta;
  }

  addSound(samples: number): void {
    this.samples += samples;
  }

  /** What has been spoken when so many samples were played, to the end of the word that is being said. */
  upTo(played: number): string {
    if (played > 0) this.shown = Math.max(this.shown, this.end(played));
    return this.text.slice(0, this.shown);
  }

  private end(played: number): number {
    if (this.complete && played >= this.samples) return this.text.length;
    const characters = [...this.text];
    const whole = characters.reduce((sum, character) => sum + weight(character), 0);
    const perLetter = this.complete && whole ? this.samples / whole : SAMPLES_A_LETTER;
    let letters = played / perLetter;
    let at = 0;
    for (const character of characters) {
      const inWord = WORD.test(character) && !HAN.test(character);
      if (letters <= 0 && !(inWord && at > 0 && WORD.test(this.text[at - 1] as string))) break;
      letters -= weight(character);
      at += character.length;
    }
    return at;
  }
}

function weight(character: string): number {
  return HAN.test(character) ? 3 : 1;
}
