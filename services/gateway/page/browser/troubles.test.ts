/** Calls that do not go well: each time the page says what is wrong and what to do, and goes on when it can. */

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Caller, given, type Options } from "./caller.ts";
import { Line } from "./line.ts";

const GATEWAY = given("GATEWAY"); // takes one call at a time
const GUARDED = given("GUARDED"); // asks for a key
const KEY = given("KEY");
const UNTRUSTED = "192.0.2.1"; // an address for documentation
const open: Caller[] = [];

after(() => Promise.all(open.map((caller) => caller.close())));

async function visit(url: string, options: Options = {}): Promise<Caller> {
  const caller = await Caller.at(url, options);
  open.push(caller);
  return caller;
}

/** Somebody else's call, with a session of its own or that of the page. */
async function anothersCall(query = ""): Promise<WebSocket> {
  const socket = new WebSocket(`${GATEWAY.replace("http", "ws")}/v1/realtime${query}`);
  await new Promise((opened, failed) => {
    socket.addEventListener("open", opened);
    socket.addEventListener("error", failed);
  });
  return socket;
}

async function ended(socket: WebSocket): Promise<void> {
  await new Promise((closed) => {
    socket.addEventListener("close", closed);
    socket.close();
  });
}

test("a full gateway says so, and a later call gets through; the line breaks and is made again; the session goes elsewhere", async () => {
  const line = await Line.to(GATEWAY);
  const caller = await visit(line.url);

  const first = await anothersCall();
  await caller.press("Call");
  await caller.problem(/All lines are busy. Try again in \d+ s/);
  await ended(first);
  await caller.press("Call");
  await caller.phase("listening");
  assert.equal(await caller.page.locator("#problem").isVisible(), false);

  await line.cut();
  await caller.phase("reconnecting");
  await line.mend();
  await caller.phase("listening");
  const { events, session_id } = await caller.log();
  const created = events.filter((logged) => logged.event.type === "session.created");
  const ids = created.map((logged) => (logged.event["session"] as { id: string }).id);
  assert.deepEqual(ids, [session_id, session_id]);

  await line.cut();
  await caller.phase("reconnecting");
  await caller.press("Hang up");
  await caller.press("Call again");
  await caller.problem(/cannot be reached/);
  await line.mend();
  await caller.press("Call again");
  await caller.phase("listening");

  await caller.press("Hang up");
  await caller.phase("ended");
  await fetch(`${GATEWAY}/v1/sessions/${session_id}`, { method: "DELETE" });
  await caller.press("Call again");
  await caller.problem(/This conversation is gone/);
  await caller.press("New conversation");
  await caller.press("Call");
  await caller.phase("listening");
  await fetch(`${GATEWAY}/v1/sessions/${(await caller.log()).session_id}`, { method: "DELETE" });
  await caller.problem(/was deleted/);
  await line.cut();
});

// One browser without permissions serves several tests, at addresses that know nothing of each other.
let unallowed: Caller;

test("where the microphone is not allowed, the page says how to allow it, and the call can be typed", async () => {
  const caller = await visit(GATEWAY, { allowed: false, flags: [`--host-resolver-rules=MAP ${UNTRUSTED} 127.0.0.1`] });
  unallowed = caller;
  await caller.press("Call");
  await caller.problem(/not allowed/);
  await caller.phase("listening");
  assert.equal(await caller.page.locator("#state").textContent(), "in a call, without a microphone");
  await caller.type("hello");
  await caller.entry("user", "hello");
  // Nobody answers here, which is told in the language of the page.
  await caller.entry("problem", "Nobody was free for this");
  await caller.page.getByLabel("Language of this page").selectOption("zh");
  await caller.entry("problem", "暂时无人处理");
  await caller.isAccessible();
  await caller.page.getByLabel("页面语言").selectOption("en");
  await caller.page.context().grantPermissions(["microphone"], { origin: GATEWAY });
  await caller.press("Use microphone");
  await caller.page.getByRole("button", { name: "Mute" }).waitFor();
  await caller.press("Hang up");
  await caller.phase("ended");
});

test("a microphone that another program has, or that is unplugged, is asked for again by a button", async () => {
  const caller = await visit("about:blank");
  await caller.page.addInitScript(() => {
    const open = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
    let tries = 0;
    if (!open) return;
    navigator.mediaDevices.getUserMedia = async (wanted) => {
      tries += 1;
      if (tries === 1) throw new DOMException("in use", "NotReadableError");
      const stream = await open(wanted);
      for (const track of stream.getTracks()) addEventListener("unplug", () => track.dispatchEvent(new Event("ended")));
      return stream;
    };
  });
  await caller.page.goto(GATEWAY);
  await caller.press("Call");
  await caller.problem(/another program/);
  await caller.press("Use microphone");
  await caller.page.getByRole("button", { name: "Mute" }).waitFor();
  assert.equal(await caller.page.locator("#problem").isVisible(), false);
  await caller.page.evaluate(() => dispatchEvent(new Event("unplug")));
  await caller.problem(/microphone is gone/);
  await caller.press("Use microphone");
  await caller.page.getByRole("button", { name: "Mute" }).waitFor();
  await caller.press("Hang up");
  await caller.phase("ended");
});

test("where there is no microphone, the page says so", async () => {
  const caller = await visit(GATEWAY, { deaf: true });
  await caller.press("Call");
  await caller.problem(/There is no microphone/);
  await caller.phase("listening");
  await caller.press("Hang up");
  await caller.phase("ended");
});

test("where the browser trusts the address too little, the page says which it would trust", async () => {
  const caller = unallowed;
  await caller.page.goto(`http://${UNTRUSTED}:${new URL(GATEWAY).port}`);
  await caller.press("Call");
  await caller.problem(/https:.*localhost/);
  await caller.phase("listening");
  await caller.type("hello");
  await caller.entry("user", "hello");
  await caller.press("Hang up");
  await caller.phase("ended");
});

test("a gateway with keys asks for one, and it stays in this tab", async () => {
  const caller = unallowed;
  await caller.page.goto(GUARDED);
  await caller.press("Call");
  await caller.problem(/wants a key/);
  const asked = await caller.page.getByLabel("Key of this gateway").boundingBox();
  assert.ok(asked && asked.y + asked.height < 400, "where the key goes is not at once to be seen");
  await caller.page.getByLabel("Key of this gateway").fill(KEY);
  await caller.press("Call");
  await caller.phase("listening");
  await caller.press("Hang up");
  await caller.page.reload();
  await caller.press("Call again");
  await caller.phase("listening");
  const kept = await caller.page.evaluate(() => JSON.stringify({ ...localStorage }));
  assert.ok(!kept.includes(KEY));
});
