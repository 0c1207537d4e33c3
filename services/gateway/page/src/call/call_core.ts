/**
 * What a call's events mean to the page. No sockets, no sound, no clock: events in, effects out.
 *
 * The server says what it heard and answers; the speaker says what was really played. Of an answer that is cut,
 * the conversation keeps what the user can have heard, and the server is told how far that was.
 */

import { fromBase64, RATE } from "../audio/pcm.ts";
import type { Played } from "../audio/playback_queue.ts";
import type { ClientEvent, Item, ServerEvent } from "../protocol/events.ts";
import { type Conversation, type Entry, wordsOf } from "./conversation.ts";
import { SpokenText } from "./spoken_text.ts";
import type { TurnTimes } from "./turn_times.ts";

export type Effect =
  | { do: "send"; event: ClientEvent }
  | { do: "play"; itemId: string; pcm: Int16Array<ArrayBuffer> }
  | { do: "end"; itemId: string }
  | { do: "cut" }
  | { do: "speech"; what: "started" | "committed" }
  /** Something is complete that one who does not see the page should be told. */
  | { do: "announce"; kind: Entry["kind"]; text: string; code?: string | null };

export type Activity = "listening" | "hearing" | "thinking" | "speaking";

export class CallCore {
  readonly conversation: Conversation;
  readonly times: TurnTimes;
  sessionId: string | null = null;
  model = "";
  voice = "";
  /** Why the server is about to close, where it said. */
  lastErrorCode: string | null = null;
  private interrupts = true;
  private userSpeaks = false;
  private playing = false;
  private awaited = false; // a turn was committed, its answer has not begun
  private response: string | null = null;
  private readonly spoken = new Map<string, SpokenText>();
  private readonly played = new Map<string, number>();
  private readonly silenced = new Set<string>();

  constructor(conversation: Conversation, times: TurnTimes) {
    this.conversation = conversation;
    this.times = times;
  }

  get activity(): Activity {
    if (this.userSpeaks) return "hearing";
    if (this.playing) return "speaking";
    return this.awaited || this.response !== null ? "thinking" : "listening";
  }

  /** Whether there is an answer that could be interrupted. */
  get answering(): boolean {
    return this.sounding || this.response !== null;
  }

  /** Whether the speaker has sound, or is about to. */
  private get sounding(): boolean {
    return [...this.spoken.values()].some((spoken) => spoken.samples > 0);
  }

  /** Of a session that is gone on with: a new connection knows nothing of what the last one was about to say. */
  reconnected(): Effect[] {
    this.userSpeaks = this.awaited = false;
    this.response = this.lastErrorCode = null;
    // What was being said is sent again, and becomes another item.
    for (const entry of this.beingSaid()) this.conversation.remove(entry.id);
    const open = [...this.spoken.keys()].filter((id) => !this.spoken.get(id)?.complete);
    return open.flatMap((itemId) => this.soundDone(itemId));
  }

  /** The call is over: what was not heard is not going to be. */
  ended(): Effect[] {
    this.userSpeaks = this.awaited = this.playing = false;
    this.response = null;
    for (const entry of this.beingSaid()) entry.state = "cut";
    for (const id of [...this.spoken.keys()]) this.silence(id, this.played.get(id) ?? 0);
    return [];
  }

  server(event: ServerEvent): Effect[] {
    switch (event.type) {
      case "session.created":
      case "session.updated":
        this.sessionId = event.session.id;
        this.model = event.session.model ?? "";
        this.voice = event.session.audio?.output?.voice ?? "";
        this.interrupts = event.session.audio?.input?.turn_detection?.interrupt_response ?? false;
        return [];
      case "error":
        return this.problem(event.error.code, event.error.message);
      case "input_audio_buffer.speech_started":
        this.userSpeaks = true;
        return [{ do: "speech", what: "started" }, ...(this.interrupts && this.sounding ? [CUT] : [])];
      case "input_audio_buffer.speech_stopped":
        this.userSpeaks = false;
        return [];
      case "input_audio_buffer.committed":
        this.userSpeaks = false;
        this.awaited = true;
        return [{ do: "speech", what: "committed" }];
      case "dialtone.transcription.partial":
        return this.partial(event.item_id, event.transcript);
      case "conversation.item.input_audio_transcription.completed":
        return this.understood(event.item_id, event.transcript);
      case "conversation.item.input_audio_transcription.failed":
        this.awaited = false;
        this.conversation.remove(event.item_id);
        return this.problem(event.error.code, event.error.message);
      case "conversation.item.added":
      case "conversation.item.done":
        return this.item(event.item, event.type === "conversation.item.done");
      case "conversation.item.deleted":
        this.conversation.remove(event.item_id);
        return [];
      case "conversation.item.truncated":
        return this.truncated(event.item_id);
      case "response.created":
        this.awaited = false;
        this.response = event.response.id;
        return [];
      case "response.output_audio_transcript.delta":
        this.spokenOf(event.item_id).addText(event.delta);
        return [];
      case "response.output_text.delta":
        this.conversation.entry(event.item_id, "assistant").text += event.delta;
        return [];
      case "response.output_audio.delta":
        return this.sound(event.item_id, event.delta);
      case "response.output_audio.done":
        return this.soundDone(event.item_id);
      case "response.done":
        return this.done(event.response);
      case "dialtone.turn.metrics":
        this.times.add(event.item_id !== null, event.metrics, event.trace_id ?? "", event.notices ?? []);
        for (const notice of event.notices ?? []) this.conversation.note("note", notice);
        return [];
      default:
        return [];
    }
  }

  /** The speaker's account. */
  progress(played: Played[], busy: boolean): Effect[] {
    this.playing = busy;
    return played.flatMap(({ itemId, samples, whole }) => {
      this.played.set(itemId, samples);
      return whole ? this.complete(itemId) : this.show(itemId);
    });
  }

  /** What the speaker cut; `latency` samples of it were given out, but not heard yet. */
  cut(played: Played[], latency: number): Effect[] {
    this.playing = false;
    const effects: Effect[] = [];
    for (const { itemId, samples, whole } of played) {
      if (whole) {
        effects.push(...this.complete(itemId));
        continue;
      }
      const heard = Math.max(0, samples - latency);
      this.silence(itemId, heard);
      const audio_end_ms = Math.floor((heard / RATE) * 1000);
      effects.push({ do: "send", event: { type: "conversation.item.truncate", item_id: itemId, content_index: 0, audio_end_ms } });
    }
    return effects;
  }

  /**
   * The user leaves: what the speaker has said so far is all that was heard. What it played since its last account,
   * 40 ms at most, is not known, and `latency` samples of what it did are not heard yet.
   */
  leaving(latency: number): Effect[] {
    const cancel: Effect[] = this.response === null ? [] : [{ do: "send", event: { type: "response.cancel" } }];
    const sounding = [...this.spoken].filter(([, spoken]) => spoken.samples > 0);
    const played = sounding.map(([itemId]) => ({ itemId, samples: this.played.get(itemId) ?? 0, whole: false }));
    return [...cancel, ...this.cut(played, latency)];
  }

  /** The user wants no more of this answer. */
  interrupt(): Effect[] {
    const cancel: Effect[] = this.response === null ? [] : [{ do: "send", event: { type: "response.cancel" } }];
    return this.answering ? [...cancel, CUT] : [];
  }

  /** The user has typed something. An answer that is being given ends, as when it is spoken over. */
  say(text: string): Effect[] {
    const item = { type: "message", role: "user", content: [{ type: "input_text", text }] };
    return [
      ...this.interrupt(),
      { do: "send", event: { type: "conversation.item.create", item } },
      { do: "send", event: { type: "response.create" } },
    ];
  }

  /** The user plays the part of a tool. The answer is asked for when no other call waits for its result. */
  answerTool(callId: string, output: string): Effect[] {
    const item = { type: "function_call_output", call_id: callId, output };
    const given: Effect = { do: "send", event: { type: "conversation.item.create", item } };
    const others = this.conversation.entries.some(({ tool }) => tool && !tool.answered && tool.callId !== callId);
    return others ? [given] : [given, { do: "send", event: { type: "response.create" } }];
  }

  /** Where turns do not end by themselves. */
  commit(): Effect[] {
    return [
      ...this.interrupt(),
      { do: "send", event: { type: "input_audio_buffer.commit" } },
      { do: "send", event: { type: "response.create" } },
    ];
  }

  /** What the user says that is no complete turn yet. */
  private beingSaid(): Entry[] {
    return this.conversation.entries.filter((entry) => entry.kind === "user" && entry.state === "open");
  }

  private problem(code: string | null, message: string): Effect[] {
    this.lastErrorCode = code;
    // The answer ended in the moment in which it was interrupted.
    if (code === "response_cancel_not_active") return [];
    if (code !== null && ENDINGS.has(code)) return [];
    this.conversation.note("problem", message, code);
    return [{ do: "announce", kind: "problem", text: message, code }];
  }

  private partial(itemId: string, transcript: string): Effect[] {
    const entry = this.conversation.entry(itemId, "user");
    if (entry.state === "open") entry.text = transcript;
    return [];
  }

  private understood(itemId: string, transcript: string): Effect[] {
    if (!transcript.trim()) {
      this.awaited = false;
      this.conversation.remove(itemId);
      return [];
    }
    Object.assign(this.conversation.entry(itemId, "user"), { text: transcript, state: "final" });
    return [{ do: "announce", kind: "user", text: transcript }];
  }

  private item(item: Item, done: boolean): Effect[] {
    if (item.type === "message" && item.role === "assistant") return done ? this.answerDone(item) : [];
    const before = this.conversation.find(item.id)?.state;
    const entry = this.conversation.put(item, done);
    const told = entry.state === "final" && before !== "final" && entry.kind !== "user";
    return told ? [{ do: "announce", kind: entry.kind, text: entry.text }] : [];
  }

  /** An answer is complete for the server; one with sound is so for the user when that was played. */
  private answerDone(item: Item): Effect[] {
    const spoken = this.spoken.get(item.id);
    if (spoken?.samples) return [];
    this.spoken.delete(item.id);
    const entry = this.conversation.entry(item.id, "assistant");
    if (entry.state !== "open") return [];
    const whole = item.status !== "incomplete";
    Object.assign(entry, { text: wordsOf(item), state: whole ? "final" : "cut" });
    if (!entry.text) this.conversation.remove(item.id);
    return whole ? [{ do: "announce", kind: "assistant", text: entry.text }] : [];
  }

  private sound(itemId: string, delta: string): Effect[] {
    if (this.silenced.has(itemId)) return [];
    const pcm = fromBase64(delta);
    this.spokenOf(itemId).addSound(pcm.length);
    return [{ do: "play", itemId, pcm }];
  }

  private soundDone(itemId: string): Effect[] {
    const spoken = this.spoken.get(itemId);
    if (!spoken || this.silenced.has(itemId)) return [];
    spoken.complete = true;
    return spoken.samples ? [{ do: "end", itemId }] : [];
  }

  private done(response: { id: string; status: string; status_details?: { error?: { code: string | null; message: string } | null } | null }): Effect[] {
    if (this.response === response.id) this.response = null;
    const error = response.status_details?.error;
    return response.status === "failed" && error ? this.problem(error.code, error.message) : [];
  }

  private truncated(itemId: string): Effect[] {
    if (this.silenced.has(itemId) || !this.spoken.has(itemId)) return [];
    return this.sounding ? [CUT] : [];
  }

  private spokenOf(itemId: string): SpokenText {
    const found = this.spoken.get(itemId);
    if (found) return found;
    const spoken = new SpokenText();
    this.spoken.set(itemId, spoken);
    this.conversation.entry(itemId, "assistant");
    return spoken;
  }

  private show(itemId: string): Effect[] {
    const spoken = this.spoken.get(itemId);
    const entry = this.conversation.find(itemId);
    if (spoken && entry?.state === "open") entry.text = spoken.upTo(this.played.get(itemId) ?? 0);
    return [];
  }

  /** The item was played to its end, or has no end any more. */
  private complete(itemId: string): Effect[] {
    const spoken = this.spoken.get(itemId);
    const entry = this.conversation.find(itemId);
    this.spoken.delete(itemId);
    this.played.delete(itemId);
    if (!spoken || entry?.state !== "open") return [];
    Object.assign(entry, { text: spoken.text, state: "final" });
    return [{ do: "announce", kind: "assistant", text: spoken.text }];
  }

  private silence(itemId: string, heard: number): void {
    const entry = this.conversation.find(itemId);
    const spoken = this.spoken.get(itemId);
    if (entry && spoken) Object.assign(entry, { text: spoken.upTo(heard), state: "cut" });
    this.spoken.delete(itemId);
    this.played.delete(itemId);
    this.silenced.add(itemId);
  }
}

// The call is closed for these, and the page says so where everybody looks.
const ENDINGS = new Set(["session_taken_over", "session_deleted", "session_expired", "session_idle", "key_withdrawn"]);
const CUT: Effect = { do: "cut" };
