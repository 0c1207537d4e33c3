/** What the page reads of the Realtime protocol (GA) and of Dialtone's own events. Unknown types pass through. */

export interface Item {
  id: string;
  type: "message" | "function_call" | "function_call_output";
  role?: "system" | "user" | "assistant";
  status?: string;
  content?: { type: string; text?: string; transcript?: string | null }[];
  call_id?: string;
  name?: string;
  arguments?: string;
  output?: string;
}

export interface SessionShown {
  id: string;
  model?: string;
  instructions?: string;
  audio?: {
    input?: { turn_detection?: { type: string; interrupt_response?: boolean } | null };
    output?: { voice?: string };
  };
}

/** Milliseconds; null: the stage took no part. */
export interface TurnMetrics {
  endpointing_ms: number | null;
  asr_ms: number | null;
  llm_first_token_ms: number | null;
  first_sentence_ms: number | null;
  tts_first_chunk_ms: number | null;
  total_ms: number | null;
}

export interface ApiErrorBody {
  message: string;
  code: string | null;
  type?: string;
  param?: string | null;
}

export type ServerEvent =
  | { type: "session.created" | "session.updated"; session: SessionShown }
  | { type: "error"; error: ApiErrorBody }
  | { type: "input_audio_buffer.speech_started"; item_id: string; audio_start_ms: number }
  | { type: "input_audio_buffer.speech_stopped"; item_id: string; audio_end_ms: number }
  | { type: "input_audio_buffer.committed"; item_id: string }
  | { type: "dialtone.transcription.partial"; item_id: string; transcript: string }
  | { type: "conversation.item.input_audio_transcription.delta"; item_id: string; delta: string }
  | { type: "conversation.item.input_audio_transcription.completed"; item_id: string; transcript: string }
  | { type: "conversation.item.input_audio_transcription.failed"; item_id: string; error: ApiErrorBody }
  | { type: "conversation.item.added" | "conversation.item.done"; item: Item }
  | { type: "conversation.item.deleted"; item_id: string }
  | { type: "conversation.item.truncated"; item_id: string; audio_end_ms: number }
  | { type: "response.created"; response: { id: string } }
  | { type: "response.output_audio_transcript.delta" | "response.output_text.delta"; item_id: string; delta: string }
  | { type: "response.output_audio.delta"; item_id: string; content_index: number; delta: string }
  | { type: "response.output_audio.done"; item_id: string }
  | {
      type: "response.done";
      response: {
        id: string;
        status: "completed" | "cancelled" | "failed" | "incomplete";
        status_details?: { reason?: string; error?: ApiErrorBody | null } | null;
      };
    }
  | { type: "dialtone.turn.metrics"; response_id: string; item_id: string | null; metrics: TurnMetrics; trace_id?: string; notices?: string[] };

/** A message of the server. Throws SyntaxError, TypeError for what is no event. */
export function readEvent(text: string): ServerEvent {
  const event: unknown = JSON.parse(text);
  if (typeof event !== "object" || event === null || typeof (event as { type?: unknown }).type !== "string") {
    throw new TypeError("a message without a type");
  }
  return event as ServerEvent;
}

export type ClientEvent = { type: string } & Record<string, unknown>;
