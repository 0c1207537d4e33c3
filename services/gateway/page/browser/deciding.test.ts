/** What the user decides, with simulated stages: names, when a turn ends, and when the call does. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Caller, given, until } from "./caller.ts";

let caller: Caller;
before(async () => {
  caller = await Caller.at(given("GATEWAY"), { microphone: given("MICROPHONE") });
});
after(() => caller.close());

interface Session {
  model: string;
  audio: { input: { turn_detection: unknown }; output: { voice: string } };
}

/** The session as the gateway has shown it last. */
async function session(): Promise<Session | undefined> {
  const { events } = await caller.log();
  const shown = events.findLast(({ from, event }) => from === "server" && /^session\.(created|updated)$/.test(event.type));
  return shown?.event["session"] as Session | undefined;
}

test("the models and voices that there are can be chosen, and others named", async () => {
  await caller.page.getByText("Settings", { exact: true }).click();
  await caller.page.locator("#models-here").filter({ hasText: "There is: simulated – default" }).waitFor();
  await caller.page.locator("#voices-here").filter({ hasText: "There is: simulated – default" }).waitFor();
  for (const list of ["models", "voices"]) {
    const [first] = await caller.page.locator(`#${list} option`).evaluateAll((all) => all.map((one) => (one as HTMLOptionElement).value));
    assert.equal(first, "simulated");
  }
  await caller.isAccessible();
  await caller.page.getByLabel("Model").fill("simulated");
  await caller.page.getByLabel("Voice").fill("nobody-has-listed-this");
  await caller.page.getByLabel("When your turn is over").selectOption("manual");
  await caller.page.getByLabel("Language of this page").selectOption("zh");
  await caller.page.locator("#models-here").filter({ hasText: "可用：simulated – 默认" }).waitFor();
  await caller.page.getByLabel("页面语言").selectOption("en");
});

test("a turn that ends by the button is answered then and not before", async () => {
  await caller.press("Call");
  await caller.spokenTo();
  assert.equal((await session())?.model, "simulated");
  await until(async () => (await session())?.audio.output.voice === "nobody-has-listed-this");
  assert.equal((await session())?.audio.input.turn_detection, null);
  const before = (await caller.log()).events.map(({ event }) => event.type);
  assert.ok(!before.some((type) => /speech_started|committed|response/.test(type)), String(before));
  await caller.press("Answer now");
  await caller.entry("user.final", /simulated question 1/);
  await caller.phase("speaking");
  await caller.entry("assistant", /I can help/);
  await caller.press("Hang up");
  const [user] = await caller.audio();
  assert.ok(user.some((sample) => Math.abs(sample) > 3000));
  assert.deepEqual(caller.complaints, []);
});

test("who hangs up in the middle of an answer finds as much of it as was heard", async () => {
  await caller.press("Call again");
  await caller.phase("listening");
  await caller.press("Mute");
  await caller.type("And now?");
  const answer = caller.page.locator("#conversation li.user:has-text('And now?') ~ li.assistant");
  await answer.filter({ hasText: /I can help with that/ }).waitFor();
  await caller.press("Hang up");
  await caller.phase("ended");
  const heard = (await answer.locator(".words").textContent()) ?? "";
  const { session_id } = await caller.log();
  const kept = async () => {
    const session = await fetch(`${given("GATEWAY")}/v1/sessions/${session_id}`);
    const { messages } = (await session.json()) as { messages: { content: string }[] };
    return messages.at(-1)?.content ?? "";
  };
  await until(async () => (await kept()).startsWith("I") && Math.abs((await kept()).length - heard.length) < 20);
  await caller.page.reload();
  await answer.filter({ hasText: await kept() }).waitFor();
});

test("where the model hears alone, the page takes no text", async () => {
  await caller.press("New conversation");
  await caller.page.getByText("Settings", { exact: true }).click();
  await caller.page.getByLabel("Model").fill("moshi-sft");
  await caller.press("Call");
  await caller.phase("listening", "hearing", "thinking", "speaking");
  const field = caller.page.getByPlaceholder("This model hears you, and does not read");
  await field.waitFor();
  assert.equal(await field.isDisabled(), true);
  await caller.press("Hang up");
});
