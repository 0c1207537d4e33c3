/** The page in a real Chromium, as the tests see it. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import axe from "axe-core";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

/** A variable that `tests/page` sets. */
export function given(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: these tests are run by tests/page`);
  return value;
}

export interface Options extends BrowserContextOptions {
  /** WAV file that the microphone hears once, from when it is opened. */
  microphone?: string;
  /** No devices at all. */
  deaf?: boolean;
  /** Whether the user lets the page have the microphone. */
  allowed?: boolean;
  flags?: string[];
}

export interface Logged {
  at_ms: number;
  from: "client" | "server" | "page";
  event: { type: string } & Record<string, unknown>;
}

export interface Saved {
  session_id: string;
  events: Logged[];
}

export class Caller {
  readonly page: Page;
  /** What the browser's console complained about. */
  readonly complaints: string[] = [];
  private readonly browser: Browser;

  private constructor(browser: Browser, page: Page) {
    this.browser = browser;
    this.page = page;
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") this.complaints.push(message.text());
    });
    page.on("pageerror", (error) => this.complaints.push(String(error)));
  }

  static async at(url: string, options: Options = {}): Promise<Caller> {
    const { microphone, deaf, allowed = true, flags = [], ...context } = options;
    const browser = await chromium.launch({
      executablePath: given("CHROMIUM"),
      args: [
        ...(allowed ? ["--use-fake-ui-for-media-stream"] : []),
        ...(deaf ? [] : ["--use-fake-device-for-media-stream"]),
        ...(microphone ? [`--use-file-for-fake-audio-capture=${microphone}%noloop`] : []),
        ...flags,
      ],
    });
    const opened = await browser.newContext({ locale: "en-US", acceptDownloads: true, ...context });
    const caller = new Caller(browser, await opened.newPage());
    await caller.page.goto(url);
    return caller;
  }

  async close(): Promise<void> {
    await this.browser.close();
  }

  /** Another tab of the same browser, at the same address: what pages keep there is the same for both. */
  async anotherTab(): Promise<Caller> {
    const caller = new Caller(this.browser, await this.page.context().newPage());
    await caller.page.goto(this.page.url());
    return caller;
  }

  async press(name: string): Promise<void> {
    await this.page.getByRole("button", { name, exact: true }).click();
  }

  /** Wait until the call is in one of these phases. */
  async phase(...phases: string[]): Promise<void> {
    await this.page.waitForFunction(
      (wanted) => wanted.includes(document.getElementById("state")?.dataset["phase"] ?? ""),
      phases,
      { timeout: 20_000, polling: 20 },
    );
  }

  /** Wait for an entry of the conversation. */
  async entry(kind: string, words: RegExp | string): Promise<void> {
    await this.page.locator(`#conversation li.${kind}`).filter({ hasText: words }).first().waitFor({ timeout: 45_000 });
  }

  /** Wait for the words of the alert, in a state that everybody can read. */
  async problem(words: RegExp): Promise<void> {
    await this.page.locator("#problem").filter({ hasText: words }).waitFor({ timeout: 20_000 });
    await this.isAccessible();
  }

  /** Wait until the microphone has heard somebody begin to speak, and end. */
  async spokenTo(): Promise<void> {
    for (const speaks of [true, false]) {
      await this.page.waitForFunction(
        (wanted) => (document.getElementById("level-user") as HTMLMeterElement).value > 0.3 === wanted,
        speaks,
        { timeout: 20_000, polling: 20 },
      );
    }
  }

  async type(text: string): Promise<void> {
    await this.page.locator("#written").fill(text);
    await this.page.locator("#written").press("Enter");
  }

  /** The event log, as the button saves it. */
  async log(): Promise<Saved> {
    return JSON.parse((await this.saved("Event log (JSON)")).toString()) as Saved;
  }

  /** Both sides of the call: samples at 24 kHz. */
  async audio(): Promise<[user: Int16Array, answers: Int16Array]> {
    const file = await this.saved("Both voices (WAV)");
    const count = (file.length - 44) / 4;
    const channel = (at: number) => Int16Array.from({ length: count }, (_, n) => file.readInt16LE(44 + n * 4 + at * 2));
    return [channel(0), channel(1)];
  }

  /** Fails where a rule of accessibility (WCAG 2.2 A and AA) is broken. */
  async isAccessible(): Promise<void> {
    // By the debugger: the page's own policy lets no script in.
    await this.page.evaluate(axe.source);
    const found = await this.page.evaluate(async () => {
      const runner = (globalThis as unknown as { axe: typeof axe }).axe;
      const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
      const { violations } = await runner.run(document, { runOnly: { type: "tag", values: tags } });
      return violations.map((rule) => `${rule.id}: ${rule.nodes.map((node) => node.html).join(" | ")}`);
    });
    assert.deepEqual(found, []);
  }

  private async saved(button: string): Promise<Buffer> {
    const [download] = await Promise.all([this.page.waitForEvent("download"), this.press(button)]);
    return readFile(await download.path());
  }
}

/** Wait until it is so: the gateway answers in its own time. */
export async function until(itIs: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await itIs())) {
    assert.ok(performance.now() < deadline, "it never came to be so");
    await new Promise((again) => setTimeout(again, 50));
  }
}

/** How many samples are no silence. */
export function loud(samples: Int16Array): number {
  return samples.reduce((count, sample) => count + (Math.abs(sample) > 100 ? 1 : 0), 0);
}
