/** The form of what the user may choose. */

import { type Choices, readChoices, readTools } from "../call/choices.ts";
import type { Offer } from "../protocol/gateway_api.ts";
import { byId, make } from "./dom.ts";
import type { Texts } from "./texts.ts";

const KEPT = "dialtone.choices";

export class ChoicesForm {
  choices: Choices = readChoices(localStorage.getItem(KEPT));
  private readonly form = byId("choices", HTMLFormElement);
  private readonly changed: (choices: Choices) => void;

  constructor(changed: (choices: Choices) => void) {
    this.changed = changed;
    for (const [name, value] of Object.entries(this.choices)) this.field(name).value = String(value);
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("change", (event) => {
      if (event.target instanceof HTMLElement && event.target.id !== "choice-key") this.read();
    });
    this.showDetection();
  }

  /** Show which names there are; the fields take others, too: a gateway may serve more than can be listed. */
  offer(models: Offer[], voices: Offer[], texts: Texts): void {
    this.list("models", models, texts);
    this.list("voices", voices, texts);
  }

  private list(id: "models" | "voices", offers: Offer[], texts: Texts): void {
    byId(id, HTMLDataListElement).replaceChildren(...offers.map((offer) => option(offer.id, about(offer, texts))));
    const named = offers.map((offer) => [offer.id, about(offer, texts)].filter(Boolean).join(" – "));
    byId(`${id}-here`, HTMLParagraphElement).textContent = named.length ? texts.say("here", { names: named.join(", ") }) : "";
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

/** A voice's language, by its name, and whether it is the default. */
function about(offer: Offer, texts: Texts): string {
  const known = offer.language !== undefined && offer.language !== "*";
  const language = known ? new Intl.DisplayNames(texts.language, { type: "language" }).of(offer.language as string) : "";
  return [language, offer.default ? texts.say("default") : ""].filter(Boolean).join(" · ");
}

function option(value: string, label: string): HTMLOptionElement {
  const element = make("option");
  element.value = value;
  if (label) element.label = `${value} – ${label}`;
  return element;
}
