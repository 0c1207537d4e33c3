/** The conversation on the page: one list item an entry, changed in place while it grows. */

import type { Conversation, Entry, EntryKind } from "../call/conversation.ts";
import { byId, make } from "./dom.ts";
import type { TextName, Texts } from "./texts.ts";

const WHO: Record<EntryKind, TextName> = {
  user: "you",
  assistant: "assistant",
  system: "system",
  tool_call: "toolCall",
  tool_result: "toolResult",
  note: "note",
  problem: "problem",
};

interface Shown {
  element: HTMLLIElement;
  seen: string;
}

export class ConversationView {
  private readonly list = byId("conversation", HTMLOListElement);
  private following = true; // the list's end is to be seen
  private seenRoom = "";
  private readonly shown = new Map<Entry, Shown>();
  private readonly texts: Texts;
  private readonly answerTool: (callId: string, output: string) => void;

  constructor(texts: Texts, answerTool: (callId: string, output: string) => void) {
    this.texts = texts;
    this.answerTool = answerTool;
    const { list } = this;
    list.addEventListener("scroll", () => {
      // The browser scrolls, too, where what is shown has changed its size.
      if (this.room() === this.seenRoom) this.following = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    });
    // A phone that is turned, or shows its keyboard, leaves less room.
    new ResizeObserver(() => this.follow()).observe(list);
  }

  /** `live`: there is a call, in which tools can be answered; `empty` is said where nothing else is. */
  show(conversation: Conversation, live: boolean, empty: TextName): void {
    const entries = conversation.entries.filter((entry) => entry.text !== "" || entry.tool);
    const present = new Set(entries);
    for (const [entry, { element }] of this.shown) {
      if (present.has(entry)) continue;
      element.remove();
      this.shown.delete(entry);
    }
    this.list.querySelector(".empty")?.remove();
    if (entries.length === 0) this.list.append(make("li", { class: "empty", text: this.texts.say(empty) }));
    for (const [index, entry] of entries.entries()) this.place(entry, index, live);
    this.follow();
  }

  private follow(): void {
    this.seenRoom = this.room();
    if (this.following) this.list.scrollTop = this.list.scrollHeight;
  }

  private room(): string {
    return `${this.list.clientHeight} of ${this.list.scrollHeight}`;
  }

  private place(entry: Entry, index: number, live: boolean): void {
    const asks = live && entry.tool !== undefined && !entry.tool.answered && entry.state === "final";
    const seen = JSON.stringify([entry.kind, entry.state, asks, entry.tool, this.texts.language]);
    let shown = this.shown.get(entry);
    if (shown?.seen !== seen) {
      const element = this.render(entry, asks);
      shown?.element.replaceWith(element);
      shown = { element, seen };
      this.shown.set(entry, shown);
    }
    const words = shown.element.querySelector(".words");
    const text = (entry.code && this.texts.ofCode(entry.code, {})) || entry.text;
    if (words && words.textContent !== text) words.textContent = text;
    if (this.list.children[index] !== shown.element) this.list.insertBefore(shown.element, this.list.children[index] ?? null);
  }

  private render(entry: Entry, asks: boolean): HTMLLIElement {
    const name = entry.tool ? ` ${entry.tool.name}` : "";
    const cut = entry.state === "cut" ? ` (${this.texts.say("cut")})` : "";
    const who = make("span", { class: "who", text: this.texts.say(WHO[entry.kind]) + name + cut });
    const element = make("li", { class: `${entry.kind} ${entry.state}` }, [who, make("span", { class: "words" })]);
    if (asks && entry.tool) element.append(this.question(entry.tool));
    return element;
  }

  private question(tool: { name: string; callId: string }): HTMLFormElement {
    const input = make("input");
    input.setAttribute("aria-label", this.texts.say("toolAnswerLabel", { name: tool.name }));
    const form = make("form", { class: "buttons" }, [input, make("button", { text: this.texts.say("send") })]);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.answerTool(tool.callId, input.value);
    });
    return form;
  }
}
