"""The figures of a check, for people."""

from __future__ import annotations

from typing import Any


def to_markdown(figures: dict[str, Any]) -> str:
    """`figures`: those of `python -m tests.composed`, as far as it came."""
    lines = ["# Images and Compose", "", f"{figures.get('engine', 'no engine')}, {figures['taken']}", ""]
    if made := figures.get("stand_ins"):
        lines += [f"Stand-ins for the images of others: {', '.join(made)}", ""]
    if figures["images"]:
        lines += ["| image | MB | built in s | components |", "| --- | ---: | ---: | ---: |"]
        lines += [
            f"| {name} | {image['megabytes']} | {image['seconds']} | {image.get('components', '-')} |"
            for name, image in figures["images"].items()
        ]
        lines.append("")
    if "ready_s" in figures:
        lines += [f"Ready after {figures['ready_s']} s.", ""]
    if calls := figures.get("calls"):
        lines += ["| call | v2v of each turn, ms |", "| --- | --- |"]
        lines += [
            f"| {title} | {', '.join(str(turn['v2v_ms']) for turn in turns)} |"
            for title, turns in calls.items()
        ]
        lines.append("")
    if "scraped" in figures:
        lines.append(f"- Prometheus scrapes {', '.join(figures['scraped'])}")
    if "confined" in figures:
        lines.append(f"- confined, and without root: {', '.join(figures['confined'])}")
    if "recordings" in figures:
        lines.append(f"- recorded: {figures['recordings']} calls")
    if figures.get("left") == []:
        lines.append("- taken away: containers, volumes and networks, all of them")
    lines += [f"- not run: {what}" for what in figures["not_run"]]
    lines += [f"- wrong: {problem}" for problem in figures["problems"]] or ["- nothing wrong"]
    return "\n".join(lines) + "\n"
