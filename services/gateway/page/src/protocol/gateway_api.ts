/** The REST calls that the page makes. Everything is asked of the gateway that served the page. */

import type { ApiErrorBody } from "./events.ts";

/** An answer that is no success; `code` is the gateway's, or `unreachable` where nothing answered. */
export class GatewayError extends Error {
  readonly code: string;
  readonly status: number;
  readonly retryAfterS: number | null;

  constructor(status: number, code: string, message: string, retryAfterS: number | null = null) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfterS = retryAfterS;
  }
}

export interface ToolCallOut {
  id: string;
  function: { name: string; arguments: string };
}

export interface MessageOut {
  id: string;
  role: "system" | "user" | "assistant" | "tool";
  content: string | null;
  status: "in_progress" | "completed" | "incomplete";
  tool_calls?: ToolCallOut[] | null;
  tool_call_id?: string | null;
}

/** A name that a session may give, of a model or a voice. */
export interface Offer {
  id: string;
  /** For sessions that name none; of voices, one for each language. */
  default: boolean;
  /** Of a voice: ISO 639-1, "*" for any. */
  language?: string;
}

const REQUEST_MS = 10_000;

export class GatewayApi {
  private readonly base: string;
  private readonly key: () => string;

  /** `base`: origin of the gateway; `key`: the API key that the user gave, or "". */
  constructor(base: string, key: () => string) {
    this.base = base;
    this.key = key;
  }

  /** A secret that opens calls for a minute: of new sessions, or of the session that is named. */
  async mint(sessionId: string | null): Promise<string> {
    const body = {
      expires_after: { anchor: "created_at", seconds: 60 },
      ...(sessionId === null ? {} : { dialtone: { session_id: sessionId } }),
    };
    const minted = (await this.ask("POST", "/v1/realtime/client_secrets", body)) as { value: string };
    return minted.value;
  }

  /** What was said in a session. */
  async history(sessionId: string): Promise<MessageOut[]> {
    const session = (await this.ask("GET", `/v1/sessions/${encodeURIComponent(sessionId)}`)) as { messages: MessageOut[] };
    return session.messages;
  }

  /** The models, or the voices, that the gateway's workers have. */
  async offers(kind: "models" | "voices"): Promise<Offer[]> {
    return ((await this.ask("GET", `/v1/${kind}`)) as { data: Offer[] }).data;
  }

  /** Returns when a call would be let in now: why a socket was refused is hidden from pages. */
  async place(): Promise<void> {
    await this.ask("GET", "/v1/realtime/place");
  }

  private async ask(method: string, path: string, body?: unknown): Promise<unknown> {
    const headers: Record<string, string> = { Accept: "application/json" };
    const key = this.key();
    if (key) headers["Authorization"] = `Bearer ${key}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let answer: Response;
    try {
      answer = await fetch(this.base + path, {
        method,
        headers,
        cache: "no-store",
        credentials: "omit",
        signal: AbortSignal.timeout(REQUEST_MS),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch {
      throw new GatewayError(0, "unreachable", "The gateway does not answer.");
    }
    if (answer.ok) return answer.status === 204 ? null : ((await answer.json()) as unknown);
    const retry = Number(answer.headers.get("Retry-After"));
    const error = await errorOf(answer);
    throw new GatewayError(answer.status, error.code ?? "unknown", error.message, retry > 0 ? retry : null);
  }
}

async function errorOf(answer: Response): Promise<ApiErrorBody> {
  try {
    const body = (await answer.json()) as { error?: ApiErrorBody };
    if (body.error) return body.error;
  } catch {
    // A proxy before the gateway answers in its own words.
  }
  return { code: `http_${answer.status}`, message: answer.statusText };
}
