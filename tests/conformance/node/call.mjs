// A call by @openai/agents-realtime over WebSocket, told as lines of JSON: {"kind": ..., "value": ...}.
//
// "event": a frame of the server's; "dropped": one that the SDK took for no known event, so that no handler of
// its saw it; "error": what the SDK reported; "audio": bytes handed to the player; "tool": a tool's run;
// "history": what the SDK thinks the conversation is. The scripts' argument is JSON, see `options`.

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { OpenAIRealtimeWebSocket, RealtimeAgent, RealtimeSession } from '@openai/agents-realtime';

/** { url, key, wav } and whatever else the script needs. */
export const options = JSON.parse(process.argv[2]);

const FRAME_MS = 20;
const SILENCE = new ArrayBuffer((24_000 * 2 * FRAME_MS) / 1000);

export function tell(kind, value) {
  process.stdout.write(`${JSON.stringify({ kind, value })}\n`);
}

/** The events of a transport, each told, and waited for in their order. */
export class Events {
  #events = [];
  #read = 0;
  #understood = new Set();
  #wake = () => {};

  constructor(transport) {
    const emit = transport.emit.bind(transport);
    transport.emit = (kind, ...values) => {
      const id = values[0]?.event_id ?? values[0]?.error?.event_id;
      if (kind !== '*' && id) this.#understood.add(id);
      return emit(kind, ...values);
    };
    transport.on('*', (event) => {
      tell('event', event);
      this.#events.push(event);
      this.#wake();
    });
  }

  /** The next event of one of these types. */
  async until(...types) {
    for (;;) {
      while (this.#read < this.#events.length) {
        const event = this.#events[this.#read++];
        if (types.includes(event.type)) return event;
      }
      await new Promise((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** All of these types, in whatever order they come. */
  async untilAll(...types) {
    const missing = new Set(types);
    while (missing.size > 0) {
      missing.delete((await this.until(...missing)).type);
    }
  }

  tellDropped() {
    for (const event of this.#events) {
      if (!this.#understood.has(event.event_id)) tell('dropped', event);
    }
  }
}

/** Connect a session of an agent; `config` is the SDK's session config. */
export async function connect({ config = {}, tools = [], url = options.url, instructions = '' } = {}) {
  const transport = new OpenAIRealtimeWebSocket();
  const events = new Events(transport);
  const agent = new RealtimeAgent({ name: 'assistant', instructions, tools });
  const session = new RealtimeSession(agent, { transport, config });
  session.on('error', (error) => tell('error', error));
  session.on('audio', (audio) => tell('audio', audio.data.byteLength));
  session.on('audio_interrupted', () => tell('audio_interrupted', null));
  await session.connect({ apiKey: options.key, url });
  return { session, transport, events };
}

/** Send the recording (WAV, mono PCM16 at 24 kHz) and then silence in real time until the promise settles. */
export async function speak(target, until) {
  const file = readFileSync(options.wav);
  const start = file.indexOf('data', 12, 'latin1') + 8;
  const size = SILENCE.byteLength;
  let over = false;
  const stop = until.finally(() => {
    over = true;
  });
  const began = performance.now();
  for (let sent = 0; !over; sent++) {
    const at = start + sent * size;
    const whole = at + size <= file.length;
    target.sendAudio(whole ? file.buffer.slice(file.byteOffset + at, file.byteOffset + at + size) : SILENCE);
    await sleep(Math.max(0, began + (sent + 1) * FRAME_MS - performance.now()));
  }
  return stop;
}

/** Tell how the call ended and hang up. */
export async function finish({ session, events }) {
  events.tellDropped();
  tell('history', session.history);
  session.close();
}
