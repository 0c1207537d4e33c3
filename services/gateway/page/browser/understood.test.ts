/** One spoken turn with real models; a tool, with a model that is sure to call it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Caller, given } from "./caller.ts";

test("a spoken question is understood and answered", async () => {
  const caller = await Caller.at(given("GATEWAY"), { microphone: given("MICROPHONE") });
  try {
    await caller.press("Call");
    await caller.entry("user.final", /weather in paris/i);
    await caller.entry("assistant.final", /\w+/);
    await caller.phase("listening");
    const { events } = await caller.log();
    assert.ok(events.some((logged) => logged.event.type === "dialtone.turn.metrics"));
    assert.deepEqual(caller.complaints, []);
  } finally {
    await caller.close();
  }
});

test("words are shown while they are spoken, and taken to be what was said in the end", async () => {
  const caller = await Caller.at(given("GATEWAY"), { microphone: given("SPEECH") });
  try {
    await caller.page.getByText("Settings", { exact: true }).click();
    await caller.page.getByLabel("Silence, in ms").fill("1500"); // who speaks here takes his time
    await caller.press("Call");
    await caller.entry("user.open", /fellow/i); // of "And so, my fellow Americans, ..."
    assert.equal(await caller.page.locator("#state").getAttribute("data-phase"), "hearing");
    await caller.entry("user.final", /fellow american/i);
    assert.equal(await caller.page.locator("#conversation li.user").count(), 1);
    assert.deepEqual(caller.complaints, []);
  } finally {
    await caller.close();
  }
});

test("a call of a tool is shown, and the user's result goes into the answer", async () => {
  const caller = await Caller.at(given("GATEWAY"));
  const tool = { type: "function", name: "get_weather", parameters: { type: "object", properties: { city: { type: "string" } } } };
  try {
    await caller.page.getByText("Settings", { exact: true }).click();
    await caller.page.getByLabel("Model").fill("chat");
    await caller.page.getByLabel("Tools").fill(JSON.stringify([tool]));
    await caller.page.getByLabel("Tools").blur();
    await caller.press("Call");
    await caller.phase("listening");
    await caller.press("Mute");
    await caller.type("What is the weather in Paris?");
    await caller.entry("tool_call", /get_weather.*Paris/s);
    await caller.page.getByLabel("Result to give for get_weather").fill("18 degrees");
    await caller.page.getByLabel("Result to give for get_weather").press("Enter");
    await caller.entry("tool_result", "18 degrees");
    await caller.entry("assistant.final", "I looked it up: 18 degrees.");
    await caller.isAccessible();
    assert.deepEqual(caller.complaints, []);
  } finally {
    await caller.close();
  }
});
