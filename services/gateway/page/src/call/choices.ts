/** What the user chooses of a session, and how the protocol says it. */

export interface Choices {
  /** "": the gateway's default. Holds for new sessions alone. */
  model: string;
  /** "": the gateway's default. */
  voice: string;
  /** Of both sides, such as `en`; "": recognised. */
  language: string;
  detection: "server_vad" | "semantic_vad" | "manual";
  /** Of `server_vad`. */
  silenceMs: number;
  /** Of `semantic_vad`. */
  eagerness: "auto" | "low" | "medium" | "high";
  /** "": the operator's. */
  instructions: string;
  /** JSON of the session's tools; "": none. */
  tools: string;
}

export const DEFAULT_CHOICES: Choices = {
  model: "",
  voice: "",
  language: "",
  detection: "server_vad",
  silenceMs: 500,
  eagerness: "auto",
  instructions: "",
  tools: "",
};

/** The choices that were kept; what is missing or of a wrong kind takes its default. */
export function readChoices(kept: string | null): Choices {
  const choices: Choices = { ...DEFAULT_CHOICES };
  let found: unknown;
  try {
    found = JSON.parse(kept ?? "null");
  } catch {
    return choices; // written by nobody who knows the format: as good as none
  }
  if (typeof found !== "object" || found === null) return choices;
  for (const name of Object.keys(choices) as (keyof Choices)[]) {
    const value = (found as Record<string, unknown>)[name];
    if (typeof value === typeof choices[name]) Object.assign(choices, { [name]: value });
  }
  return choices;
}

/** Throws SyntaxError or TypeError for what is no list of tools. */
export function readTools(text: string): Record<string, unknown>[] {
  if (!text.trim()) return [];
  const tools: unknown = JSON.parse(text);
  if (!Array.isArray(tools)) throw new TypeError("the tools are to be a list");
  return tools as Record<string, unknown>[];
}

/** The `session` of a `session.update`; `spoken`: answers can be played, and not only read. */
export function sessionOf(choices: Choices, spoken: boolean): Record<string, unknown> {
  const format = { type: "audio/pcm", rate: 24_000 };
  const { language, voice, instructions } = choices;
  return {
    type: "realtime",
    output_modalities: [spoken ? "audio" : "text"],
    audio: {
      input: {
        format,
        transcription: { model: "whisper-1", ...(language ? { language } : {}) },
        turn_detection: detectionOf(choices),
      },
      output: { format, ...(voice ? { voice } : {}) },
    },
    ...(instructions ? { instructions } : {}),
    tools: readTools(choices.tools),
    dialtone: { turn_metrics: true, partial_transcripts: true, language: language || null },
  };
}

function detectionOf(choices: Choices): Record<string, unknown> | null {
  if (choices.detection === "manual") return null;
  if (choices.detection === "semantic_vad") return { type: "semantic_vad", eagerness: choices.eagerness };
  return { type: "server_vad", silence_duration_ms: choices.silenceMs };
}
