/** One spoken turn with real models. */

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
    assert.ok(events.some((logged) => logged.event.type === "dialtone.transcription.partial"), "no words while they were spoken");
    assert.ok(events.some((logged) => logged.event.type === "dialtone.turn.metrics"));
    assert.deepEqual(caller.complaints, []);
  } finally {
    await caller.close();
  }
});
