import assert from "node:assert/strict";
import test from "node:test";
import { GatewayError } from "../protocol/gateway_api.ts";
import { DEFAULT_CHOICES, readChoices, sessionOf } from "./choices.ts";
import { isHopeless, mayComeBack, Tries } from "./coming_back.ts";
import { Conversation } from "./conversation.ts";
import { EventLog } from "./event_log.ts";
import { CallRecording } from "./recording.ts";
import { SpokenText } from "./spoken_text.ts";
import { TurnTimes } from "./turn_times.ts";
import { Unheard } from "./unheard.ts";

test("text keeps step with its sound, whole word by whole word, and is never taken back", () => {
  const spoken = new SpokenText();
  spoken.addText("hello there everybody");
  spoken.addSound(24_000);
  assert.equal(spoken.upTo(0), "");
  const first = spoken.upTo(8_000);
  assert.match(first, /^hello/);
  spoken.addSound(24_000 * 9);
  spoken.complete = true;
  assert.equal(spoken.upTo(8_000), first);
  assert.equal(spoken.upTo(120_000), "hello there");
  assert.equal(spoken.upTo(240_000), "hello there everybody");
});

test("Chinese is shown character by character", () => {
  const spoken = new SpokenText();
  spoken.addText("今天天气很好");
  spoken.addSound(60_000);
  spoken.complete = true;
  assert.equal(spoken.upTo(30_000), "今天天");
});

test("percentiles are of spoken turns, by the nearest rank", () => {
  const times = new TurnTimes();
  const metrics = { endpointing_ms: 200, asr_ms: 1, llm_first_token_ms: 1, first_sentence_ms: 1, tts_first_chunk_ms: 1 };
  assert.equal(times.percentile(0.5), null);
  for (const total_ms of [400, 100, 300, 200]) times.add(true, { ...metrics, total_ms }, "", []);
  times.add(false, { ...metrics, total_ms: 9000 }, "", []);
  times.add(true, { ...metrics, endpointing_ms: null, total_ms: 250 }, "", []); // ended by the button
  assert.deepEqual([times.percentile(0.5), times.percentile(0.95)], [250, 400]);
});

test("the log has sizes in the place of sound", () => {
  let now = 5;
  const log = new EventLog(() => now);
  now = 12;
  log.add("client", { type: "input_audio_buffer.append", audio: "AAAA" });
  log.add("server", { type: "response.output_text.delta", delta: "AAAA" });
  const { events } = JSON.parse(log.toJson({})) as { events: { at_ms: number; event: Record<string, string> }[] };
  assert.deepEqual(events.map(({ at_ms, event }) => [at_ms, event["audio"] ?? event["delta"]]), [
    [7, "(3 bytes)"],
    [7, "AAAA"],
  ]);
});

test("a recording has both sides, each where it sounded", async () => {
  const recording = new CallRecording();
  recording.heard(Int16Array.from([1, 2]), 4);
  recording.heard(Int16Array.from([3, 4]), 9); // a little late: it belongs behind the last
  recording.sounded(5, Int16Array.from([7, 8]));
  const bytes = new DataView(await recording.toWav().arrayBuffer());
  const sample = (at: number, channel: number) => bytes.getInt16(44 + at * 4 + channel * 2, true);
  assert.equal(bytes.byteLength, 44 + 7 * 4);
  assert.deepEqual([0, 1, 2, 3, 4, 5, 6].map((at) => sample(at, 0)), [0, 0, 1, 2, 3, 4, 0]);
  assert.deepEqual([0, 1, 2, 3, 4, 5, 6].map((at) => sample(at, 1)), [0, 0, 0, 0, 0, 7, 8]);
});

test("what was said since the last turn is kept for a new connection, within bounds", () => {
  const unheard = new Unheard();
  for (let n = 0; n < 100; n++) unheard.add(`quiet ${n}`, false);
  unheard.speechStarted();
  for (let n = 0; n < 200; n++) unheard.add(`word ${n}`, false);
  assert.equal(unheard.takeAll().length, 250);
  for (let n = 0; n < 5000; n++) unheard.add("gap", true);
  assert.equal(unheard.takeAll().length, 1500);
  unheard.add("spoken", false);
  unheard.committed();
  assert.deepEqual(unheard.takeAll(), []);
});

test("a lost call is tried again, later each time, and not for ever", () => {
  const tries = new Tries(0);
  assert.deepEqual([0, 1, 2].map((now) => tries.next(now, null, 1)), [200, 400, 800]);
  assert.equal(tries.next(3, 5, 1), 5000);
  assert.equal(tries.next(90_001, null, 1), null);
  assert.ok(mayComeBack(1006) && mayComeBack(1012) && !mayComeBack(1008) && !mayComeBack(1000));
  assert.ok(isHopeless(new GatewayError(401, "invalid_api_key", "")));
  assert.ok(!isHopeless(new GatewayError(503, "gateway_full", "")));
});

test("choices survive a reload, whatever else is found in their place", () => {
  assert.deepEqual(readChoices(JSON.stringify({ ...DEFAULT_CHOICES, voice: "marin" })), { ...DEFAULT_CHOICES, voice: "marin" });
  for (const kept of [null, "", "[", "3", '{"silenceMs":"long"}']) assert.deepEqual(readChoices(kept), DEFAULT_CHOICES);
});

test("choices become a session", () => {
  const session = sessionOf({ ...DEFAULT_CHOICES, detection: "manual", language: "zh", voice: "marin" }, true);
  assert.partialDeepStrictEqual(session, {
    output_modalities: ["audio"],
    audio: { input: { turn_detection: null, transcription: { language: "zh" } }, output: { voice: "marin" } },
    dialtone: { turn_metrics: true, partial_transcripts: true, language: "zh" },
  });
});

test("where nothing can be played, answers are written", () => {
  assert.partialDeepStrictEqual(sessionOf(DEFAULT_CHOICES, false), { output_modalities: ["text"] });
});

test("history becomes a conversation, with tools and their results", () => {
  const conversation = new Conversation();
  conversation.restore([
    { id: "1", role: "user", status: "completed", content: "Weather?" },
    { id: "2", role: "assistant", status: "completed", content: null, tool_calls: [{ id: "c", function: { name: "look", arguments: "{}" } }] },
    { id: "3", role: "tool", status: "completed", content: "sunny", tool_call_id: "c" },
    { id: "4", role: "assistant", status: "completed", content: "It is sunny." },
    { id: "5", role: "assistant", status: "incomplete", content: "Do you" },
  ]);
  assert.deepEqual(
    conversation.entries.map((entry) => [entry.kind, entry.text, entry.state]),
    [
      ["user", "Weather?", "final"],
      ["tool_call", "{}", "final"],
      ["tool_result", "sunny", "final"],
      ["assistant", "It is sunny.", "final"],
      ["assistant", "Do you", "cut"],
    ],
  );
  assert.equal(conversation.entries[1]?.tool?.answered, true);
});
