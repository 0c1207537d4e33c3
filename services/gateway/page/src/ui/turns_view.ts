/** Where the time of each turn went: a bar a turn, to one scale, its stages in order. */

import { STAGES, type Turn, type TurnTimes } from "../call/turn_times.ts";
import { byId, draw, make } from "./dom.ts";
import type { Texts } from "./texts.ts";

const WIDTH = 1000;
const LEAST_SCALE_MS = 1000;

export class TurnsView {
  private readonly list = byId("turns", HTMLOListElement);
  private readonly percentiles = byId("percentiles", HTMLParagraphElement);
  private readonly legend = byId("legend", HTMLUListElement);
  private readonly texts: Texts;
  private seen = "";

  constructor(texts: Texts) {
    this.texts = texts;
  }

  show(times: TurnTimes): void {
    const { turns } = times;
    const seen = `${this.texts.language} ${turns.at(-1)?.number ?? 0}`;
    if (seen === this.seen) return;
    this.seen = seen;
    const p50 = times.percentile(0.5);
    const p95 = times.percentile(0.95);
    this.percentiles.textContent =
      p50 === null || p95 === null
        ? this.texts.say("noTurns")
        : this.texts.say("percentiles", { p50: Math.round(p50), p95: Math.round(p95) });
    this.legend.replaceChildren(...(turns.length ? STAGES.map((stage, index) => this.key(stage, index)) : []));
    const longest = Math.max(LEAST_SCALE_MS, ...turns.map((turn) => turn.metrics.total_ms ?? 0));
    this.list.replaceChildren(...turns.map((turn) => this.row(turn, longest)).reverse());
  }

  private key(stage: (typeof STAGES)[number], index: number): HTMLLIElement {
    const swatch = draw("svg", { width: 10, height: 10, "aria-hidden": "true" }, [
      draw("rect", { width: 10, height: 10, class: `stage-${index + 1}` }),
    ]);
    const entry = make("li", {}, [swatch]);
    entry.append(this.texts.say(stage));
    return entry;
  }

  private row(turn: Turn, longest: number): HTMLLIElement {
    const { metrics, number } = turn;
    const name = this.texts.say(turn.spoken ? "turn" : "typedTurn", { number });
    const total = metrics.total_ms === null ? "–" : this.texts.say("ms", { value: Math.round(metrics.total_ms) });
    const known = STAGES.filter((stage) => metrics[stage] !== null);
    const words = known.map((stage) => `${this.texts.say(stage)} ${Math.round(metrics[stage] as number)}`).join(" · ");
    const row = make("li", {}, [
      make("div", { class: "figures" }, [make("span", { text: name }), make("strong", { text: total })]),
      this.bar(turn, longest),
      make("div", { class: "stages", text: words }),
    ]);
    if (turn.traceId) row.title = this.texts.say("trace", { id: turn.traceId });
    return row;
  }

  private bar(turn: Turn, longest: number): SVGElement {
    const parts: SVGElement[] = [draw("rect", { width: WIDTH, height: 10, class: "track" })];
    let from = 0;
    for (const [index, stage] of STAGES.entries()) {
      const ms = Math.max(0, turn.metrics[stage] ?? 0);
      const width = (ms / longest) * WIDTH;
      parts.push(draw("rect", { x: from, width, height: 10, class: `stage-${index + 1}` }));
      from += width;
    }
    // The figures beside it say the same.
    return draw("svg", { viewBox: `0 0 ${WIDTH} 10`, preserveAspectRatio: "none", "aria-hidden": "true" }, parts);
  }
}
