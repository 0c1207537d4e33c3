/** One connection of a call: JSON events over a WebSocket that an ephemeral secret opens. */

import { readEvent, type ClientEvent, type ServerEvent } from "./events.ts";

export interface SocketEnd {
  code: number;
  reason: string;
  /** Whether the handshake had succeeded: else the gateway refused it, for a reason that pages do not see. */
  opened: boolean;
}

export interface SocketListener {
  event(event: ServerEvent): void;
  ended(end: SocketEnd): void;
}

// A connection that takes nothing any more is of no use to a call: the user is not heard.
const MOST_WAITING_BYTES = 4 * 2 ** 20;
const OPEN_MS = 10_000;

export class CallSocket {
  private readonly socket: WebSocket;
  private readonly listener: SocketListener;
  private opened = false;
  private over = false;
  private readonly late: ReturnType<typeof setTimeout>;

  constructor(base: string, secret: string, query: URLSearchParams, listener: SocketListener) {
    this.listener = listener;
    const address = `${base.replace(/^http/, "ws")}/v1/realtime?${query}`;
    this.socket = new WebSocket(address, ["realtime", `openai-insecure-api-key.${secret}`]);
    this.late = setTimeout(() => this.end({ code: 1006, reason: "no answer", opened: false }), OPEN_MS);
    this.socket.addEventListener("open", () => {
      this.opened = true;
      clearTimeout(this.late);
    });
    this.socket.addEventListener("message", (message) => this.read(message.data as string));
    this.socket.addEventListener("close", (closed) => {
      this.end({ code: closed.code, reason: closed.reason, opened: this.opened });
    });
  }

  /** Whether the event went out. */
  send(event: ClientEvent): boolean {
    if (this.socket.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(event));
    if (this.socket.bufferedAmount > MOST_WAITING_BYTES) {
      this.end({ code: 1006, reason: "the connection takes nothing", opened: true });
    }
    return true;
  }

  /** End the connection; the listener is told nothing more. */
  close(): void {
    this.over = true;
    clearTimeout(this.late);
    this.socket.close(1000);
  }

  private read(text: string): void {
    if (!this.over) this.listener.event(readEvent(text));
  }

  private end(end: SocketEnd): void {
    if (this.over) return;
    this.close();
    this.listener.ended(end);
  }
}
