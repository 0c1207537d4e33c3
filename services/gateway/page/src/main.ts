/** The page: what is pressed goes to the call, what the call is goes to the screen. */

import { Call, type CallListener } from "./call/call.ts";
import { Conversation } from "./call/conversation.ts";
import { TurnTimes } from "./call/turn_times.ts";
import { GatewayApi, GatewayError, type Offer } from "./protocol/gateway_api.ts";
import { ChoicesForm } from "./ui/choices_form.ts";
import { ConversationView } from "./ui/conversation_view.ts";
import { byId, make, saveFile } from "./ui/dom.ts";
import { LevelMeter } from "./ui/level_meter.ts";
import { type Language, LANGUAGES, preferred, type TextName, Texts } from "./ui/texts.ts";
import { TurnsView } from "./ui/turns_view.ts";

const SESSION = "dialtone.session";
const LANGUAGE = "dialtone.language";
const KEY = "dialtone.key";
const SPOKEN_KEPT = 20;

class Page {
  private readonly texts = new Texts(keptLanguage());
  private readonly api = new GatewayApi(location.origin, () => this.key.value.trim());
  private readonly choices = new ChoicesForm((choices) => this.call?.configure(choices));
  private readonly conversationView = new ConversationView(this.texts, (id, output) => this.call?.answerTool(id, output));
  private readonly turnsView = new TurnsView(this.texts);
  private readonly levels = { user: new LevelMeter("level-user"), answer: new LevelMeter("level-answer") };
  private readonly key = byId("choice-key", HTMLInputElement);
  private readonly state = byId("state", HTMLParagraphElement);
  private readonly problem = byId("problem", HTMLDivElement);
  private readonly spoken = byId("spoken", HTMLDivElement);
  private readonly written = byId("written", HTMLInputElement);
  private conversation = new Conversation();
  private times = new TurnTimes();
  private call: Call | null = null;
  private session = localStorage.getItem(SESSION);
  private apiProblem: GatewayError | null = null;
  private offers: { models: Offer[]; voices: Offer[] } = { models: [], voices: [] };
  private due = false;

  async open(): Promise<void> {
    this.key.value = sessionStorage.getItem(KEY) ?? "";
    this.listen();
    this.translate();
    await this.restore();
  }

  private listen(): void {
    press("call", () => (this.inCall ? this.call?.hangUp() : this.begin()));
    press("mute", () => this.call?.mute(!this.call.muted));
    press("microphone", () => void this.call?.useMicrophone());
    press("commit", () => this.call?.commit());
    press("interrupt", () => this.call?.interrupt());
    press("fresh", () => this.forget());
    press("save-log", () => this.saveLog());
    press("save-audio", () => this.saveAudio());
    byId("write", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.written.value.trim();
      if (text) this.call?.say(text);
      this.written.value = "";
    });
    this.key.addEventListener("change", () => {
      sessionStorage.setItem(KEY, this.key.value.trim());
      void this.restore();
      void this.learnNames();
    });
    byId("choices-panel", HTMLDetailsElement).addEventListener("toggle", () => void this.learnNames());
    // What was not heard when the page goes is not said to have been.
    globalThis.addEventListener("pagehide", () => this.call?.hangUp());
    const language = byId("interface-language", HTMLSelectElement);
    language.value = this.texts.language;
    language.addEventListener("change", () => {
      this.texts.language = language.value as Language;
      localStorage.setItem(LANGUAGE, language.value);
      this.translate();
    });
  }

  private get inCall(): boolean {
    return this.call !== null && this.call.phase !== "ended";
  }

  private begin(): void {
    this.apiProblem = null;
    const listener: CallListener = {
      changed: () => this.changed(),
      announce: ({ kind, text, code }) => this.announce(kind, (code && this.texts.ofCode(code, {})) || text),
      level: (side, value) => {
        this.levels[side].take(value);
        this.changed();
      },
    };
    this.call = new Call(this.api, location.origin, this.conversation, this.times, this.choices.choices, listener);
    void this.call.start(this.session);
    this.changed();
  }

  /** Begin anew: the session stays with the gateway, this page leaves it. */
  private forget(): void {
    this.call?.hangUp();
    this.call = null;
    this.apiProblem = null;
    this.session = null;
    localStorage.removeItem(SESSION);
    this.conversation = new Conversation();
    this.times = new TurnTimes();
    this.changed();
    byId("call", HTMLButtonElement).focus();
  }

  /** Ask which models and voices there are, whenever somebody is about to choose one. */
  private async learnNames(): Promise<void> {
    if (!byId("choices-panel", HTMLDetailsElement).open || this.keyIsMissing) return;
    try {
      const [models, voices] = await Promise.all([this.api.offers("models"), this.api.offers("voices")]);
      this.offers = { models, voices };
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.offers = { models: [], voices: [] }; // names can be given all the same
    }
    this.choices.offer(this.offers.models, this.offers.voices, this.texts);
  }

  /** Show what was said before the page was loaded. */
  private async restore(): Promise<void> {
    if (this.session === null || this.inCall) return;
    try {
      const messages = await this.api.history(this.session);
      this.conversation.restore(messages);
      this.apiProblem = null;
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      if (error.code === "session_not_found") this.forget();
      else this.apiProblem = error;
    }
    this.changed();
  }

  /** Draw at the browser's next chance, however much changes until then. */
  private changed(): void {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      this.draw();
    });
  }

  private draw(): void {
    const { call } = this;
    const phase = call?.phase ?? "idle";
    const id = call?.core.sessionId ?? null;
    if (id !== null && id !== this.session) {
      this.session = id;
      localStorage.setItem(SESSION, id);
    }
    const open = this.inCall && phase !== "connecting" && phase !== "reconnecting";
    this.state.dataset["phase"] = phase;
    const deaf = open && phase === "listening" && !call?.hasMicrophone;
    const words = this.texts.say(deaf ? "deaf" : phase) + (open && call?.muted ? ` (${this.texts.say("muted")})` : "");
    if (this.state.textContent !== words) this.state.textContent = words;
    this.button("call", true, this.inCall ? "hangUp" : this.session === null ? "call" : "callAgain").dataset["ends"] = String(this.inCall);
    this.button("mute", this.inCall && call !== null && call.hasMicrophone).setAttribute("aria-pressed", String(call?.muted ?? false));
    this.button("microphone", this.inCall && call !== null && call.microphoneProblem !== null);
    this.button("commit", open && this.choices.choices.detection === "manual" && (call?.hasMicrophone ?? false));
    this.button("interrupt", open && (call?.core.answering ?? false));
    this.button("fresh", !this.inCall && this.session !== null);
    const reads = !call?.core.model.startsWith("moshi");
    this.written.disabled = byId("send", HTMLButtonElement).disabled = !(open && reads);
    this.written.placeholder = this.texts.say(open && !reads ? "hearsOnly" : "writePlaceholder");
    byId("save-log", HTMLButtonElement).disabled = call === null;
    byId("save-audio", HTMLButtonElement).disabled = call?.recording.isEmpty ?? true;
    this.drawProblem();
    this.conversationView.show(this.conversation, open, open ? (deaf ? "emptyDeaf" : "emptyCall") : "empty");
    this.turnsView.show(this.times);
    this.levels.user.show(this.inCall);
    this.levels.answer.show(this.inCall);
  }

  private drawProblem(): void {
    const words = this.problemWords();
    this.problem.hidden = words === "";
    if (this.problem.textContent !== words) this.problem.textContent = words;
    if (this.keyIsMissing || this.key.value) byId("key-choice", HTMLDivElement).hidden = false;
    if (this.keyIsMissing) byId("choices-panel", HTMLDetailsElement).open = true;
  }

  /** Whether the gateway has asked for a key, and none has been given. */
  private get keyIsMissing(): boolean {
    const code = this.call?.end?.code ?? this.apiProblem?.code ?? "";
    return ["invalid_api_key", "key_withdrawn"].includes(code) && !this.key.value;
  }

  private problemWords(): string {
    const end = this.call?.end ?? this.apiProblem;
    if (end) {
      const { code, message, retryAfterS } = end;
      return this.texts.ofCode(code, { seconds: retryAfterS ?? 5 }) ?? this.texts.say("elseEnded", { message });
    }
    const microphone = this.inCall ? (this.call?.microphoneProblem ?? null) : null;
    return microphone === null ? "" : this.texts.say(microphone);
  }

  private button(id: string, shown: boolean, text?: TextName): HTMLButtonElement {
    const button = byId(id, HTMLButtonElement);
    button.hidden = !shown;
    if (text && button.textContent !== this.texts.say(text)) button.textContent = this.texts.say(text);
    return button;
  }

  private announce(kind: string, text: string): void {
    const who = kind === "user" ? "you" : kind === "problem" ? "problem" : kind === "tool_call" ? "toolCall" : "assistant";
    this.spoken.append(make("p", { text: `${this.texts.say(who)}: ${text}` }));
    while (this.spoken.children.length > SPOKEN_KEPT) this.spoken.firstElementChild?.remove();
  }

  private translate(): void {
    document.documentElement.lang = this.texts.language;
    const each = (name: string, apply: (element: HTMLElement, text: string) => void) => {
      for (const element of document.querySelectorAll<HTMLElement>(`[data-${name}]`)) {
        apply(element, this.texts.say(element.dataset[name] as TextName));
      }
    };
    each("text", (element, text) => (element.textContent = text));
    each("label", (element, text) => element.setAttribute("aria-label", text));
    each("placeholder", (element, text) => element.setAttribute("placeholder", text));
    this.choices.offer(this.offers.models, this.offers.voices, this.texts);
    this.changed();
  }

  private saveLog(): void {
    const { call } = this;
    if (!call) return;
    const about = { session_id: call.core.sessionId, model: call.core.model, voice: call.core.voice, browser: navigator.userAgent };
    saveFile(`${this.fileName()}.json`, new Blob([call.log.toJson(about)], { type: "application/json" }));
  }

  private saveAudio(): void {
    if (this.call) saveFile(`${this.fileName()}.wav`, this.call.recording.toWav());
  }

  private fileName(): string {
    return `dialtone-${this.call?.core.sessionId ?? "call"}`;
  }
}

function press(id: string, act: () => void): void {
  byId(id, HTMLButtonElement).addEventListener("click", act);
}

function keptLanguage(): Language {
  const kept = localStorage.getItem(LANGUAGE);
  return kept !== null && kept in LANGUAGES ? (kept as Language) : preferred(navigator.languages);
}

await new Page().open();
