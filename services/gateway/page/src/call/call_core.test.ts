import assert from "node:assert/strict";
import test from "node:test";
import { toBase64 } from "../audio/pcm.ts";
import type { ServerEvent } from "../protocol/events.ts";
import { CallCore, type Effect } from "./call_core.ts";
import { Conversation } from "./conversation.ts";
import { TurnTimes } from "./turn_times.ts";

const SECOND = 24_000;
const WORDS = "one two three four five six seven eight nine ten";

function opened(interrupts = true): CallCore {
  const core = new CallCore(new Conversation(), new TurnTimes());
  const turn_detection = { type: "server_vad", interrupt_response: interrupts };
  core.server({ type: "session.created", session: { id: "sess_1", audio: { input: { turn_detection } } } });
  return core;
}

function sound(seconds: number): string {
  return toBase64(new Int16Array(seconds * SECOND).fill(1000));
}

/** A core that was sent an answer of four seconds, one of which was played. */
function answering(interrupts = true): CallCore {
  const core = opened(interrupts);
  const events: ServerEvent[] = [
    { type: "response.created", response: { id: "resp_1" } },
    { type: "response.output_audio_transcript.delta", item_id: "item_a", delta: WORDS },
    { type: "response.output_audio.delta", item_id: "item_a", content_index: 0, delta: sound(4) },
  ];
  for (const event of events) core.server(event);
  core.progress([{ itemId: "item_a", samples: SECOND, whole: false }], true);
  return core;
}

function sent(effects: Effect[]): string[] {
  return effects.flatMap((effect) => (effect.do === "send" ? [effect.event.type] : []));
}

function words(core: CallCore): string[] {
  return core.conversation.entries.map((entry) => `${entry.kind} ${entry.state}: ${entry.text}`);
}

const STARTED: ServerEvent = { type: "input_audio_buffer.speech_started", item_id: "item_u", audio_start_ms: 0 };

test("speech over an answer cuts its sound, and the server hears how much of it was played", () => {
  const core = answering();
  assert.ok(core.server(STARTED).some((effect) => effect.do === "cut"));
  const effects = core.cut([{ itemId: "item_a", samples: 1.5 * SECOND, whole: false }], 0.1 * SECOND);
  assert.deepEqual(effects, [
    { do: "send", event: { type: "conversation.item.truncate", item_id: "item_a", content_index: 0, audio_end_ms: 1400 } },
  ]);
  assert.match(words(core)[0] as string, /^assistant cut: one two/);
});

test("sound of an answer that was cut is not played when it comes late", () => {
  const core = answering();
  core.server(STARTED);
  core.cut([{ itemId: "item_a", samples: SECOND, whole: false }], 0);
  const late: ServerEvent = { type: "response.output_audio.delta", item_id: "item_a", content_index: 0, delta: sound(1) };
  assert.deepEqual(core.server(late), []);
});

test("an answer that was sent but of which nothing sounded yet is cut, too", () => {
  const core = opened();
  core.server({ type: "response.output_audio.delta", item_id: "item_a", content_index: 0, delta: sound(1) });
  assert.ok(core.server(STARTED).some((effect) => effect.do === "cut"));
});

test("where speech does not interrupt, the answer goes on", () => {
  const core = answering(false);
  assert.ok(!core.server(STARTED).some((effect) => effect.do === "cut"));
});

test("an answer is shown as it is spoken, and complete when it was", () => {
  const core = answering();
  assert.match(core.conversation.entries[0]?.text ?? "", /^one two three( four)?$/);
  core.server({ type: "response.output_audio.done", item_id: "item_a" });
  core.server({ type: "response.done", response: { id: "resp_1", status: "completed" } });
  assert.equal(core.activity, "speaking");
  const effects = core.progress([{ itemId: "item_a", samples: 4 * SECOND, whole: true }], false);
  assert.deepEqual(effects, [{ do: "announce", kind: "assistant", text: WORDS }]);
  assert.deepEqual(words(core), [`assistant final: ${WORDS}`]);
  assert.equal(core.activity, "listening");
});

test("an answer that is cancelled before it sounded leaves what the server kept of it", () => {
  const core = opened();
  core.server({ type: "response.output_audio_transcript.delta", item_id: "item_a", delta: "never heard" });
  core.server({ type: "response.output_audio.done", item_id: "item_a" });
  const content = [{ type: "output_audio", transcript: "" }];
  const item = { id: "item_a", type: "message" as const, role: "assistant" as const, status: "incomplete", content };
  core.server({ type: "conversation.item.done", item });
  assert.deepEqual(words(core), []);
});

test("the user's words are shown while they are spoken, then as they were understood", () => {
  const core = opened();
  core.server(STARTED);
  assert.equal(core.activity, "hearing");
  core.server({ type: "dialtone.transcription.partial", item_id: "item_u", transcript: "what tim" });
  assert.deepEqual(words(core), ["user open: what tim"]);
  core.server({ type: "input_audio_buffer.speech_stopped", item_id: "item_u", audio_end_ms: 900 });
  core.server({ type: "input_audio_buffer.committed", item_id: "item_u" });
  assert.equal(core.activity, "thinking");
  core.server({ type: "conversation.item.input_audio_transcription.completed", item_id: "item_u", transcript: "What time is it?" });
  assert.deepEqual(words(core), ["user final: What time is it?"]);
});

test("a noise leaves nothing behind", () => {
  const core = opened();
  core.server({ type: "input_audio_buffer.committed", item_id: "item_u" });
  core.server({ type: "conversation.item.added", item: { id: "item_u", type: "message", role: "user", content: [] } });
  core.server({ type: "conversation.item.input_audio_transcription.completed", item_id: "item_u", transcript: " " });
  assert.deepEqual(words(core), []);
  assert.equal(core.activity, "listening");
});

test("a call of a tool waits for its result", () => {
  const core = opened();
  const call = { id: "item_f", type: "function_call" as const, call_id: "call_1", name: "lookup", arguments: '{"city":"Rome"}' };
  core.server({ type: "conversation.item.done", item: call });
  const entry = core.conversation.find("item_f");
  assert.deepEqual(entry?.tool, { name: "lookup", callId: "call_1", answered: false });
  assert.deepEqual(sent(core.answerTool("call_1", "sunny")), ["conversation.item.create", "response.create"]);
  core.server({ type: "conversation.item.done", item: { id: "item_o", type: "function_call_output", call_id: "call_1", output: "sunny" } });
  assert.equal(entry?.tool?.answered, true);
});

test("of several calls the last result asks for the answer", () => {
  const core = opened();
  for (const call_id of ["call_1", "call_2"]) {
    core.server({ type: "conversation.item.done", item: { id: `item_${call_id}`, type: "function_call", call_id, name: "look", arguments: "{}" } });
  }
  assert.deepEqual(sent(core.answerTool("call_1", "one")), ["conversation.item.create"]);
  core.server({ type: "conversation.item.done", item: { id: "item_o", type: "function_call_output", call_id: "call_1", output: "one" } });
  assert.deepEqual(sent(core.answerTool("call_2", "two")), ["conversation.item.create", "response.create"]);
});

test("what is typed ends an answer and asks for the next", () => {
  const core = answering();
  const effects = core.say("stop");
  assert.deepEqual(sent(effects), ["response.cancel", "conversation.item.create", "response.create"]);
  assert.ok(effects.some((effect) => effect.do === "cut"));
  assert.deepEqual(sent(opened().say("hello")), ["conversation.item.create", "response.create"]);
});

test("a response that fails says why, and the call goes on", () => {
  const core = opened();
  core.server({ type: "response.created", response: { id: "resp_1" } });
  const error = { code: "overloaded", message: "Too much to do." };
  core.server({ type: "response.done", response: { id: "resp_1", status: "failed", status_details: { error } } });
  assert.deepEqual(words(core), ["problem final: Too much to do."]);
  assert.equal(core.activity, "listening");
});

test("why a call ends is not told twice; other problems keep the code by which they are translated", () => {
  const core = opened();
  assert.deepEqual(core.server({ type: "error", error: { code: "session_taken_over", message: "Another call." } }), []);
  assert.deepEqual([words(core), core.lastErrorCode], [[], "session_taken_over"]);
  core.server({ type: "error", error: { code: "overloaded", message: "No worker." } });
  assert.deepEqual(core.conversation.entries.map((entry) => [entry.text, entry.code]), [["No worker.", "overloaded"]]);
});

test("after the line broke, what had come of an answer is heard to its end", () => {
  const core = answering();
  assert.deepEqual(core.reconnected(), [{ do: "end", itemId: "item_a" }]);
});

test("after the line broke, words that were being said are said again, once", () => {
  const core = opened();
  core.server({ type: "dialtone.transcription.partial", item_id: "item_u", transcript: "what tim" });
  core.reconnected();
  core.server({ type: "dialtone.transcription.partial", item_id: "item_v", transcript: "what time is" });
  assert.deepEqual(words(core), ["user open: what time is"]);
});

test("when the call ends, what was not heard is not shown", () => {
  const core = answering();
  core.ended();
  assert.match(words(core)[0] as string, /^assistant cut: one two three( four)?$/);
});

test("who hangs up amid an answer has heard what was played, and the server is told", () => {
  const core = answering();
  const effects = core.leaving(0.1 * SECOND);
  assert.deepEqual(effects, [
    { do: "send", event: { type: "response.cancel" } },
    { do: "send", event: { type: "conversation.item.truncate", item_id: "item_a", content_index: 0, audio_end_ms: 900 } },
  ]);
  assert.match(words(core)[0] as string, /^assistant cut: one/);
  core.server({ type: "response.done", response: { id: "resp_1", status: "cancelled" } });
  assert.deepEqual(core.leaving(0), []);
});
