/** The form of what the user may choose. */

import { type Choices, readChoices, readTools } from "../call/choices.ts";
import { byId, make } from "./dom.ts";

const KEPT = "dialtone.choices";
// What clients written for OpenAI's API name, beside those that this gateway's voices are called.
const VOICES = ["alloy", "ash", "coral", "echo", "sage", "shimmer", "marin", "cedar"];

export class ChoicesForm {
  choices: Choices = readChoices(localStorage.getItem(KEPT));
  private readonly form = byId("choices", HTMLFormElement);
  private readonly changed: (choices: Choices) => void;

  constructor(changed: (choices: Choices) => void) {
    this.changed = changed;
    byId("models", HTMLDataListElement).append(option("default"));
    byId("voices", HTMLDataListElement).append(...VOICES.map(option));
    for (const [name, value] of Object.entries(this.choices)) this.field(name).value = String(value);
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("change", (event) => {
      if (event.target instanceof HTMLElement && event.target.id !== "choice-key") this.read();
    });
    this.showDetection();
  }

  private read(): void {
    const wanted: Record<string, string | number> = {};
    for (const name of Object.keys(this.choices)) wanted[name] = this.field(name).value.trim();
    const silence = this.field("silenceMs") as HTMLInputElement;
    wanted["silenceMs"] = silence.checkValidity() ? silence.valueAsNumber : this.choices.silenceMs;
    silence.value = String(wanted["silenceMs"]);
    const wrong = !areTools(String(wanted["tools"]));
    byId("tools-problem", HTMLParagraphElement).hidden = !wrong;
    this.field("tools").setAttribute("aria-invalid", String(wrong));
    if (wrong) wanted["tools"] = "";
    this.choices = readChoices(JSON.stringify(wanted));
    localStorage.setItem(KEPT, JSON.stringify(this.choices));
    this.showDetection();
    this.changed(this.choices);
  }

  private showDetection(): void {
    byId("of-server", HTMLDivElement).hidden = this.choices.detection !== "server_vad";
    byId("of-semantic", HTMLDivElement).hidden = this.choices.detection !== "semantic_vad";
  }

  private field(name: string): HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement {
    return this.form.elements.namedItem(name) as HTMLInputElement;
  }
}

function areTools(text: string): boolean {
  try {
    readTools(text);
    return true;
  } catch {
    return false;
  }
}

function option(value: string): HTMLOptionElement {
  const element = make("option");
  element.value = value;
  return element;
}
