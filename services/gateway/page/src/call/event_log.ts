/** Everything that went over the wire, for whoever has to find out what happened: audio as its size alone. */

export interface LoggedEvent {
  /** Milliseconds since the call began. */
  at_ms: number;
  from: "client" | "server" | "page";
  event: Record<string, unknown>;
}

const MOST_EVENTS = 20_000;

export class EventLog {
  private readonly events: LoggedEvent[] = [];
  private dropped = 0;
  private readonly clock: () => number;
  private readonly began: number;

  constructor(clock: () => number) {
    this.clock = clock;
    this.began = clock();
  }

  add(from: LoggedEvent["from"], event: Record<string, unknown>): void {
    this.events.push({ at_ms: Math.round(this.clock() - this.began), from, event: withoutAudio(event) });
    if (this.events.length <= MOST_EVENTS) return;
    this.events.shift();
    this.dropped += 1;
  }

  toJson(about: Record<string, unknown>): string {
    return JSON.stringify({ ...about, dropped_events: this.dropped, events: this.events }, null, 1);
  }
}

function withoutAudio(event: Record<string, unknown>): Record<string, unknown> {
  const member = event["type"] === "input_audio_buffer.append" ? "audio" : "delta";
  const audio = event[member];
  const isSound = member === "audio" || event["type"] === "response.output_audio.delta";
  if (!isSound || typeof audio !== "string") return event;
  return { ...event, [member]: `(${Math.floor((audio.length * 3) / 4)} bytes)` };
}
