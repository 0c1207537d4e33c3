/** What was said, in order: the page's copy of the session's items, and notes of what went wrong between them. */

import type { Item } from "../protocol/events.ts";
import type { MessageOut } from "../protocol/gateway_api.ts";

export type EntryKind = "user" | "assistant" | "system" | "tool_call" | "tool_result" | "note" | "problem";

export interface Entry {
  id: string;
  kind: EntryKind;
  text: string;
  /** `open`: more is to come. `cut`: the rest was not heard. */
  state: "open" | "final" | "cut";
  /** Of a problem: the gateway's code, by which it can be said in the page's language. */
  code?: string;
  /** Of a tool's call: its name and id, and whether it waits for a result. */
  tool?: { name: string; callId: string; answered: boolean };
}

// The gateway keeps 10,000 items; a page that long is no use to anybody.
const MOST_ENTRIES = 2000;

export class Conversation {
  readonly entries: Entry[] = [];
  private notes = 0;

  find(id: string): Entry | undefined {
    return this.entries.findLast((entry) => entry.id === id);
  }

  /** The entry of that id, put at the end if there is none. */
  entry(id: string, kind: EntryKind): Entry {
    const found = this.find(id);
    if (found) return found;
    const entry: Entry = { id, kind, text: "", state: "open" };
    this.entries.push(entry);
    if (this.entries.length > MOST_ENTRIES) this.entries.splice(0, this.entries.length - MOST_ENTRIES);
    return entry;
  }

  note(kind: "note" | "problem", text: string, code: string | null = null): void {
    this.notes += 1;
    Object.assign(this.entry(`note-${this.notes}`, kind), { text, state: "final", ...(code === null ? {} : { code }) });
  }

  remove(id: string): void {
    const at = this.entries.findIndex((entry) => entry.id === id);
    if (at >= 0) this.entries.splice(at, 1);
  }

  /** An item as the server shows it. Text that is not there yet leaves the entry's alone. */
  put(item: Item, done: boolean): Entry {
    const entry = this.entry(item.id, kindOf(item));
    if (item.type === "function_call") {
      const answered = entry.tool?.answered ?? false;
      entry.tool = { name: item.name ?? "", callId: item.call_id ?? "", answered };
      entry.text = item.arguments || entry.text;
    } else if (item.type === "function_call_output") {
      entry.text = item.output ?? "";
      this.answered(item.call_id ?? "");
    } else if (item.role !== "assistant") {
      entry.text = wordsOf(item) || entry.text;
    }
    const typed = item.content?.some((part) => part.type === "input_text") ?? false;
    if (done && (item.role !== "user" || typed) && entry.state === "open") entry.state = "final";
    return entry;
  }

  /** What was said before this page was opened. */
  restore(messages: MessageOut[]): void {
    for (const message of messages) {
      for (const call of message.tool_calls ?? []) {
        const entry = this.entry(message.id, "tool_call");
        entry.tool = { name: call.function.name, callId: call.id, answered: false };
        Object.assign(entry, { text: call.function.arguments, state: "final" });
      }
      if (message.content === null) continue;
      const kind = message.role === "tool" ? "tool_result" : message.role;
      const state = message.status === "incomplete" ? "cut" : "final";
      Object.assign(this.entry(message.id, kind), { text: message.content, state });
      if (message.tool_call_id) this.answered(message.tool_call_id);
    }
  }

  private answered(callId: string): void {
    const call = this.entries.findLast((entry) => entry.tool?.callId === callId);
    if (call?.tool) call.tool.answered = true;
  }
}

function kindOf(item: Item): EntryKind {
  if (item.type === "function_call") return "tool_call";
  if (item.type === "function_call_output") return "tool_result";
  return item.role ?? "note";
}

/** All text of an item. */
export function wordsOf(item: Item): string {
  return (item.content ?? []).map((part) => part.text ?? part.transcript ?? "").join(" ").trim();
}
