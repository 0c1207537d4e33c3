/** A line to the gateway that can be cut: a TCP relay on a port of its own. */

import { connect, createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

export class Line {
  private readonly open = new Set<Socket>();
  private readonly target: URL;
  private server: Server | null = null;
  private port = 0;

  private constructor(target: URL) {
    this.target = target;
  }

  static async to(url: string): Promise<Line> {
    const line = new Line(new URL(url));
    await line.mend();
    return line;
  }

  get url(): string {
    return `http://localhost:${this.port}`;
  }

  /** End every connection and take no new ones. */
  async cut(): Promise<void> {
    const { server } = this;
    this.server = null;
    for (const socket of this.open) socket.destroy();
    await new Promise((closed) => server?.close(closed) ?? closed(null));
  }

  /** Take connections again, where it did before. */
  async mend(): Promise<void> {
    const server = createServer((socket) => this.relay(socket));
    await new Promise<void>((listening) => server.listen(this.port, "localhost", listening));
    this.port = (server.address() as AddressInfo).port;
    this.server = server;
  }

  private relay(near: Socket): void {
    const far = connect(Number(this.target.port), this.target.hostname);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.open.add(one);
      one.pipe(other);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        this.open.delete(one);
        other.destroy();
      });
    }
  }
}
