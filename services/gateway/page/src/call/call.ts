/**
 * A call with all its machinery: the socket, the microphone, the speaker, and coming back when the line breaks.
 *
 * What events mean is `CallCore`'s matter; this performs its effects.
 */

import { level, toBase64 } from "../audio/pcm.ts";
import { Microphone, MicrophoneError, type MicrophoneProblem } from "../audio/microphone.ts";
import { Speaker } from "../audio/speaker.ts";
import { CallSocket, type SocketEnd } from "../protocol/call_socket.ts";
import type { ClientEvent, ServerEvent } from "../protocol/events.ts";
import { type GatewayApi, GatewayError } from "../protocol/gateway_api.ts";
import { CallCore, type Activity, type Effect } from "./call_core.ts";
import { type Choices, sessionOf } from "./choices.ts";
import { isHopeless, mayComeBack, Tries } from "./coming_back.ts";
import type { Conversation } from "./conversation.ts";
import { EventLog } from "./event_log.ts";
import { CallRecording } from "./recording.ts";
import type { TurnTimes } from "./turn_times.ts";
import { Unheard } from "./unheard.ts";

export type CallPhase = "connecting" | "reconnecting" | "ended" | Activity;

export interface CallListener {
  /** Something to be shown has changed. */
  changed(): void;
  announce(effect: Effect & { do: "announce" }): void;
  /** Root mean squares of the latest 20 ms, 0 to 1. */
  level(side: "user" | "answer", value: number): void;
}

/** Why a call ended by itself: a code of the gateway's, and its words. */
export interface CallEnd {
  code: string;
  message: string;
  retryAfterS: number | null;
}

export class Call {
  readonly core: CallCore;
  readonly log = new EventLog(() => performance.now());
  readonly recording = new CallRecording();
  microphoneProblem: MicrophoneProblem | null = null;
  end: CallEnd | null = null;
  private link: "connecting" | "reconnecting" | "open" | "ended" = "connecting";
  private socket: CallSocket | null = null;
  private microphone: Microphone | null = null;
  private speaker: Speaker | null = null;
  private tries: Tries | null = null;
  private waiting: ReturnType<typeof setTimeout> | undefined;
  private language = "";
  private readonly unheard = new Unheard();
  private readonly api: GatewayApi;
  private readonly base: string;
  private choices: Choices;
  private readonly listener: CallListener;
  private readonly online = () => this.retryNow();

  /** `conversation` and `times` are gone on with. */
  constructor(
    api: GatewayApi,
    base: string,
    conversation: Conversation,
    times: TurnTimes,
    choices: Choices,
    listener: CallListener,
  ) {
    this.api = api;
    this.base = base;
    this.choices = choices;
    this.listener = listener;
    this.core = new CallCore(conversation, times);
  }

  get phase(): CallPhase {
    return this.link === "open" ? this.core.activity : this.link;
  }

  get muted(): boolean {
    return this.microphone?.muted ?? false;
  }

  get hasMicrophone(): boolean {
    return this.microphone !== null;
  }

  /** Begin, with the session of that id or a new one. To be called where the user has just pressed something. */
  async start(sessionId: string | null): Promise<void> {
    this.core.sessionId = sessionId;
    globalThis.addEventListener("online", this.online);
    try {
      await Promise.all([Speaker.possible ? this.openSpeaker() : null, this.useMicrophone()]);
    } catch (error) {
      this.failed(error);
    }
    if (this.phase !== "ended") await this.connect();
  }

  /** Ask for the microphone, at first and when there was a problem with it. The call goes on without. */
  async useMicrophone(): Promise<void> {
    if (this.microphone) return;
    this.microphoneProblem = null;
    try {
      const opened = await Microphone.open(
        (pcm) => this.heard(pcm),
        () => void this.microphoneLost(),
      );
      if (this.link === "ended") await opened.close();
      else this.microphone = opened;
    } catch (error) {
      if (!(error instanceof MicrophoneError)) throw error;
      this.microphoneProblem = error.problem;
      this.log.add("page", { type: "microphone", problem: error.problem });
    }
    this.listener.changed();
  }

  mute(muted: boolean): void {
    if (this.microphone) this.microphone.muted = muted;
    this.listener.changed();
  }

  configure(choices: Choices): void {
    this.choices = choices;
    if (this.link === "open") this.sendChoices();
  }

  interrupt(): void {
    this.perform(this.core.interrupt());
  }

  say(text: string): void {
    this.perform(this.core.say(text));
  }

  answerTool(callId: string, output: string): void {
    this.perform(this.core.answerTool(callId, output));
  }

  commit(): void {
    this.perform(this.core.commit());
  }

  hangUp(): void {
    this.perform(this.core.leaving(this.speaker?.latencySamples ?? 0));
    this.finish(null);
  }

  /** Try again at once: the machine says that it has a network. */
  private retryNow(): void {
    if (this.link !== "reconnecting" || this.waiting === undefined) return;
    clearTimeout(this.waiting);
    this.waiting = undefined;
    void this.connect();
  }

  private async openSpeaker(): Promise<void> {
    const opened = await Speaker.open({
      progress: (played, busy) => this.perform(this.core.progress(played, busy)),
      cut: (played) => this.perform(this.core.cut(played, this.speaker?.latencySamples ?? 0)),
      sounded: (at, pcm) => {
        this.recording.sounded(at, pcm);
        this.listener.level("answer", level(pcm));
      },
      overflow: () => this.log.add("page", { type: "speaker", problem: "more sound than can wait" }),
    });
    if (this.link === "ended") await opened.close();
    else this.speaker = opened;
    // By this the log and the recording can be laid beside each other.
    this.log.add("page", { type: "recording", sample: opened.now });
  }

  private async connect(): Promise<void> {
    const session = this.core.sessionId;
    const query = new URLSearchParams();
    if (session !== null) query.set("session_id", session);
    else if (this.choices.model) query.set("model", this.choices.model);
    try {
      const secret = await this.api.mint(session);
      if (this.phase === "ended") return;
      this.socket = new CallSocket(this.base, secret, query, {
        event: (event) => this.received(event),
        ended: (end) => void this.lost(end),
      });
    } catch (error) {
      this.failed(error);
    }
  }

  private received(event: ServerEvent): void {
    this.log.add("server", event as unknown as Record<string, unknown>);
    const effects = this.core.server(event);
    if (event.type === "session.created") this.opened();
    this.perform(effects);
  }

  private opened(): void {
    this.link = "open";
    this.tries = null;
    this.sendChoices();
    for (const block of this.unheard.takeAll()) this.sendSound(block);
  }

  private sendChoices(): void {
    // The members of a session are merged: a language is taken back with all of its transcription.
    if (this.language && !this.choices.language) {
      this.send({ type: "session.update", session: { type: "realtime", audio: { input: { transcription: null } } } });
    }
    this.language = this.choices.language;
    this.send({ type: "session.update", session: sessionOf(this.choices, this.speaker !== null) });
  }

  private perform(effects: Effect[]): void {
    for (const effect of effects) {
      if (effect.do === "send") this.send(effect.event);
      else if (effect.do === "play") this.speaker?.push(effect.itemId, effect.pcm);
      else if (effect.do === "end") this.speaker?.end(effect.itemId);
      else if (effect.do === "cut") this.speaker?.cut();
      else if (effect.do === "announce") this.listener.announce(effect);
      else if (effect.what === "started") this.unheard.speechStarted();
      else this.unheard.committed();
    }
    this.listener.changed();
  }

  private send(event: ClientEvent): void {
    this.log.add("client", event);
    this.socket?.send(event);
  }

  private heard(pcm: Int16Array<ArrayBuffer>): void {
    if (this.speaker) this.recording.heard(pcm, this.speaker.now);
    this.listener.level("user", level(pcm));
    if (this.link === "open") this.sendSound(toBase64(pcm));
    else this.unheard.add(toBase64(pcm), true);
  }

  private sendSound(block: string): void {
    this.unheard.add(block, false);
    this.send({ type: "input_audio_buffer.append", audio: block });
  }

  private async microphoneLost(): Promise<void> {
    const microphone = this.microphone;
    this.microphone = null;
    this.microphoneProblem = "lost";
    this.listener.changed();
    await microphone?.close();
  }

  private async lost(end: SocketEnd): Promise<void> {
    this.log.add("page", { type: "connection", code: end.code, reason: end.reason, opened: end.opened });
    const said = this.core.lastErrorCode;
    if (end.opened && (!mayComeBack(end.code) || said === "session_expired")) {
      this.finish({ code: said ?? `closed_${end.code}`, message: end.reason, retryAfterS: null });
      return;
    }
    if (end.opened) {
      this.link = "reconnecting";
      this.perform(this.core.reconnected());
      this.again(null);
      return;
    }
    try {
      await this.api.place(); // says why, where a socket cannot
      this.failed(new GatewayError(0, "unreachable", "The connection could not be made."));
    } catch (error) {
      this.failed(error);
    }
  }

  private failed(error: unknown): void {
    const known = error instanceof GatewayError ? error : null;
    this.log.add("page", { type: "connection", problem: known?.code ?? String(error) });
    const end = { code: known?.code ?? "unknown", message: String(error), retryAfterS: known?.retryAfterS ?? null };
    if (known) end.message = known.message;
    if (this.link === "connecting" || isHopeless(error)) this.finish(end);
    else this.again(end);
  }

  private again(why: CallEnd | null): void {
    if (this.link !== "reconnecting") return;
    this.tries ??= new Tries(performance.now());
    const pause = this.tries.next(performance.now(), why?.retryAfterS ?? null, Math.random());
    if (pause === null) {
      this.finish(why ?? { code: "unreachable", message: "", retryAfterS: null });
      return;
    }
    this.waiting = setTimeout(() => {
      this.waiting = undefined;
      void this.connect();
    }, pause);
    this.listener.changed();
  }

  private finish(why: CallEnd | null): void {
    if (this.link === "ended") return;
    this.link = "ended";
    this.end = why;
    clearTimeout(this.waiting);
    globalThis.removeEventListener("online", this.online);
    this.socket?.close();
    this.perform(this.core.ended());
    void this.microphone?.close();
    void this.speaker?.close();
    this.microphone = this.speaker = null;
    this.listener.changed();
  }
}
