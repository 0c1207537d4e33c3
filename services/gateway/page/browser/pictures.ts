/**
 * Takes the pictures of `docs/images` from a stack with real models on a quiet machine:
 *
 *     GATEWAY=http://localhost:8000 CHROMIUM=/usr/bin/chromium MICROPHONE=two-questions.wav node browser/pictures.ts
 *
 * The recording has two questions, and time for an answer between them.
 */

import { Caller, given } from "./caller.ts";

const FOLDER = "../../../docs/images";

const caller = await Caller.at(given("GATEWAY"), { microphone: given("MICROPHONE"), viewport: { width: 1120, height: 680 } });
try {
  await caller.press("Call");
  await caller.page.locator("#conversation li.user").nth(1).waitFor();
  await caller.page.locator("#conversation li.assistant").nth(1).waitFor();
  await caller.page.locator("#turns li").nth(1).waitFor();
  await caller.page.screenshot({ path: `${FOLDER}/page.png` });
  await caller.page.emulateMedia({ colorScheme: "dark" });
  await caller.page.setViewportSize({ width: 390, height: 780 });
  await caller.page.getByLabel("Language of this page").selectOption("zh");
  await caller.phase("speaking", "listening");
  await caller.page.screenshot({ path: `${FOLDER}/page-narrow.png` });
} finally {
  await caller.close();
}
