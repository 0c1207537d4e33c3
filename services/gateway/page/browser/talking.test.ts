/** A call that goes well, with simulated stages: each answer is three sentences, some eight seconds of a tone. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Caller, given, loud, type Logged, until } from "./caller.ts";
import { Line } from "./line.ts";

// Speech of two turns; the second begins while the first is being answered.
const MICROPHONE = given("MICROPHONE");
const ANSWER = /I can help with that/;

let line: Line;
let caller: Caller;
before(async () => {
  line = await Line.to(given("GATEWAY"));
  caller = await Caller.at(line.url, { microphone: MICROPHONE });
});
after(async () => {
  await caller.close();
  await line.cut();
});

function times(events: Logged[], from: string, type: string): number[] {
  return events.filter((logged) => logged.from === from && logged.event.type === type).map((logged) => logged.at_ms);
}

/** The longest that the microphone's blocks of 20 ms were late around these times, in ms. */
function standstill(sent: number[], from: number, to: number): number {
  const near = sent.filter((at) => at > from - 100 && at < to + 100);
  const gaps = near.slice(1).map((at, before) => at - (near[before] as number) - 20);
  return Math.max(0, ...gaps);
}

/** Of the first answer: the samples that sounded, without the gaps of a slow machine, and where it ended for a second. */
function firstAnswer(answers: Int16Array): { sounded: number; end: number } {
  let [sounded, silent, end] = [0, 0, 0];
  for (let at = 0; at < answers.length && !(sounded && silent > 24_000); at += 480) {
    const block = answers.subarray(at, at + 480);
    if (loud(block)) [sounded, silent, end] = [sounded + block.length, 0, at + block.length];
    else silent += block.length;
  }
  return { sounded, end };
}

test("a spoken turn is heard, transcribed, answered and measured; speech over the answer ends it", async () => {
  await caller.isAccessible();
  await caller.press("Call");
  await caller.phase("hearing");
  await caller.entry("user", /simulated question 1/);
  await caller.phase("speaking");
  await caller.entry("assistant", /I can/);
  await caller.entry("assistant.cut", ANSWER);
  await caller.entry("user", /simulated question 2/);
  await caller.phase("speaking");
  await caller.press("Hang up");
  await caller.phase("ended");

  const { events } = await caller.log();
  const [, started] = times(events, "server", "input_audio_buffer.speech_started");
  const cut = events.find((logged) => logged.event.type === "conversation.item.truncate");
  assert.ok(started !== undefined && cut !== undefined);
  // The speaker had dropped its sound before this was sent. A machine that stands still stops no sound.
  const stood = standstill(times(events, "client", "input_audio_buffer.append"), started, cut.at_ms);
  const wentOn = cut.at_ms - started;
  assert.ok(wentOn <= 100 + stood, `the sound went on for ${wentOn} ms, in which the browser stood still for ${stood}`);

  const [user, answers] = await caller.audio();
  const { sounded, end: ended } = firstAnswer(answers);
  const recorded = events.find((logged) => logged.event.type === "recording");
  assert.ok(recorded);
  const soundWentOn = recorded.at_ms + (ended - (recorded.event["sample"] as number)) / 24 - started;
  assert.ok(soundWentOn <= 100 + stood, `by the recording the sound went on for ${soundWentOn} ms`);
  assert.ok(loud(user) > 24_000, "the user's side of the recording is silent");
  assert.ok(loud(user.subarray(ended - 24_000, ended)) > 0, "nobody is heard to speak over the answer");
  const end = (cut.event["audio_end_ms"] as number) * 24;
  // What was truncated is what sounded, less what was still on its way to the ear.
  assert.ok(Math.abs(sounded - end) < 24_000 * 0.25, `${sounded} samples sounded, ${end} were told`);

  assert.match((await caller.page.locator("#percentiles").textContent()) ?? "", /p50 \d+ ms, p95 \d+ ms/);
  assert.ok((await caller.page.locator("#turns li").count()) >= 1);
});

test("what was said is there after a reload, and a call goes on with it; a line that breaks while the user speaks costs no word", async () => {
  const before = (await caller.log()).session_id;
  assert.deepEqual(caller.complaints, []);
  await caller.page.reload();
  await caller.entry("user", /simulated question 1/);
  await caller.entry("assistant", ANSWER);
  const said = caller.page.locator("#conversation li.user");
  const count = await said.count();
  await caller.press("Call again");
  await caller.phase("hearing");
  await line.cut();
  await caller.phase("reconnecting");
  await caller.page.waitForFunction(() => (document.getElementById("level-user") as HTMLMeterElement).value === 0);
  await caller.press("Mute"); // from here on there is nothing new to be heard
  await line.mend();
  await said.nth(count).waitFor({ timeout: 20_000 });
  assert.equal((await caller.log()).session_id, before);
  caller.complaints.length = 0; // the browser tells of every connection that was refused
});

test("what is typed is answered, and the button ends the answer", async () => {
  await caller.type("<b>What</b> time is it?");
  await caller.entry("user", "<b>What</b> time is it?");
  await caller.page.locator("#conversation li.user:has-text('</b>') ~ li.assistant").waitFor(); // its first words sound
  await caller.press("Interrupt");
  await caller.phase("listening");
  await caller.entry("assistant.cut:last-child", /./);
  assert.equal(await caller.page.locator("#conversation b").count(), 0);
  await caller.page.locator("#turns li").first().filter({ hasText: /Turn \d+, typed/ }).waitFor();
});

test("a choice holds at once", async () => {
  await caller.page.getByText("Settings", { exact: true }).click();
  const detection = caller.page.getByLabel("When your turn is over");
  await detection.selectOption("manual");
  await caller.press("Answer now");
  await caller.phase("thinking", "speaking");
  await detection.selectOption("semantic_vad");
  await caller.page.getByLabel("Instructions", { exact: true }).fill("Be brief.");
  await caller.page.getByLabel("Tools").fill("[{");
  await caller.page.getByLabel("Tools").blur();
  await caller.page.getByText("This is not a JSON list").waitFor();
  await until(async () => {
    const { events } = await caller.log();
    const updated = events.findLast((logged) => logged.from === "server" && logged.event.type === "session.updated");
    const session = updated?.event["session"] as { instructions: string; audio: { input: { turn_detection: { type: string } } } };
    return session.instructions === "Be brief." && session.audio.input.turn_detection.type === "semantic_vad";
  });
});

test("another tab takes the conversation over, and each time the tab that had it says how to have it back", async () => {
  const other = await caller.anotherTab();
  try {
    await other.entry("user", /simulated question 1/);
    await other.press("Call again");
    await caller.problem(/goes on in another call. To bring it here, call again/);
    await caller.phase("ended");
    await other.phase("listening", "hearing", "thinking", "speaking");
    await caller.press("Call again");
    await other.problem(/goes on in another call/);
    await caller.phase("listening", "hearing", "thinking", "speaking");
    assert.equal((await caller.log()).session_id, (await other.log()).session_id);
    assert.deepEqual(other.complaints, []);
  } finally {
    await other.page.close();
  }
});

test("all of it can be used without seeing it, in the dark, and on a narrow screen", async () => {
  await caller.isAccessible();
  await caller.page.emulateMedia({ colorScheme: "dark" });
  await caller.isAccessible();
  await caller.page.setViewportSize({ width: 320, height: 568 });
  await caller.isAccessible();
  const [wide, low] = await caller.page.evaluate(() => {
    scrollTo({ top: 0, behavior: "instant" });
    const write = document.getElementById("write") as HTMLElement;
    return [document.documentElement.scrollWidth - innerWidth, write.getBoundingClientRect().bottom - innerHeight];
  });
  assert.ok(wide !== undefined && wide <= 0, "the page is wider than the screen");
  assert.ok(low !== undefined && low <= 0, "what a call needs is not all on the screen");
  const unread = await caller.page.locator("#conversation").evaluate((list) => list.scrollHeight - list.scrollTop - list.clientHeight);
  assert.ok(unread < 40, "the latest words are out of sight");
});

test("the keyboard is enough, and the page speaks Chinese", async () => {
  await caller.page.getByLabel("Language of this page").selectOption("zh");
  assert.equal(await caller.page.locator("html").getAttribute("lang"), "zh");
  await caller.page.getByRole("button", { name: "挂断" }).focus();
  await caller.page.keyboard.press("Enter");
  await caller.phase("ended");
  await caller.page.getByRole("button", { name: "新对话" }).focus();
  await caller.page.keyboard.press("Space");
  await caller.page.getByText("按“呼叫”开始说话").waitFor();
});

test("the browser had nothing to complain about", () => {
  assert.deepEqual(caller.complaints, []);
});
