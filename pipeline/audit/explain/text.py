"""A story as text for people: one line per fact, no table wider than 120 columns."""

from collections.abc import Iterator
from typing import Any

from pipeline.audit.rules_of_corpus import SIGNS
from pipeline.rules import HOLDS
from pipeline.terminal import aligned_text, harmless, wrapped

WIDTH = 120
# Characters of a text that are shown without --text: about a screen.
EXCERPT = 1_000
# Lines shown of one side of a change: enough to recognise it.
_DIFF_LINES = 6
# Characters shown before the first difference of a long line.
_BEFORE_CHANGE = 40


def story_text(story: dict[str, Any], whole: bool = False) -> str:
    """A story as text; `whole`: with all of the page's text, otherwise its beginning and end."""
    record = story["record"]
    last = story["verdicts"][-1]
    fate = "kept" if last["kept"] else f"dropped by {last['stage']}: {last['rule']}"
    lines = [f"{record['url'] or record.get('source_id') or record['record_type']}  {record['date']}", f"  {fate}", ""]
    lines += _section("record", {**record, **story.get("document", {})})
    lines.append("verdicts")
    for verdict in story["verdicts"]:
        lines.append(f"  {verdict['stage']:<10} {_verdict_text(verdict)}")
    if story.get("take_down"):
        lines += ["", *_section("take-down", story["take_down"])]
    if story.get("duplicates"):
        lines += ["", *_section("duplicates", story["duplicates"])]
    if story.get("measured"):
        lines += ["", *_measured(story)]
    if story.get("diff"):
        lines += ["", "edits (- before, + after)", *(line for hunk in story["diff"] for line in _diff(hunk))]
    if story.get("shard"):
        lines += ["", f"shard  {story['shard']['file']} ({story['shard']['split']})"]
    if "text" in story:
        lines += ["", *_text(story["text"], _title(story), whole)]
    return "\n".join(lines) + "\n"


def _title(story: dict[str, Any]) -> str:
    count = f"{len(story['text']):,} characters"
    return f"text as encoded, {count}" if story.get("shard") else f"text when it was dropped, {count}"


def _text(text: str, title: str, whole: bool) -> Iterator[str]:
    """The text below its title: all of it as it is, or its beginning and end, wrapped."""
    if whole:
        yield from (title, text)
        return
    yield title
    half = EXCERPT // 2
    left_out = len(text) - 2 * half
    pieces = [text] if left_out <= 0 else [text[:half], text[-half:]]
    for number, piece in enumerate(pieces):
        if number:
            yield f"  ... {left_out:,} characters; --text shows them ..."
        for line in piece.split("\n"):
            yield from (f"  {each}".rstrip() for each in wrapped(harmless(line), WIDTH - 2))


def _verdict_text(verdict: dict[str, Any]) -> str:
    if verdict["kept"]:
        return "kept"
    measured = "" if verdict["value"] is None else f" = {verdict['value']:g}"
    bound = "" if verdict["threshold"] is None else f", threshold {verdict['threshold']:g}"
    others = [rule for rule in verdict["failed"] if rule != verdict["rule"]]
    also = f"; also {', '.join(others)}" if others else ""
    detail = f" ({verdict['detail']})" if verdict.get("detail") else ""
    said = wrapped(f"dropped by {verdict['rule']}{measured}{bound}{detail}{also}", WIDTH - 13)
    return ("\n" + " " * 13).join(said)


def _measured(story: dict[str, Any]) -> list[str]:
    """The measured numbers, those that a rule judges with the values that it keeps and whether this one is kept."""
    bounds: dict[str, dict[str, float]] = story.get("bounds", {})
    rows = []
    for name, value in story["measured"].items():
        of_rule = bounds.get(name, {})
        kept = ", ".join(f"{SIGNS[kind]} {threshold:g}" for kind, threshold in of_rule.items())
        # A number that could not be measured (NaN) breaks every bound.
        breaks = value is not None and not all(HOLDS[kind](value, threshold) for kind, threshold in of_rule.items())
        rows.append((name, f"{value:.6g}" if isinstance(value, float) else str(value), kept, "drops the page" if breaks else ""))
    table = aligned_text(("measured", "value", "a rule keeps", ""), rows)
    unread = [f"rules are not shown: {story['manifest_error']}"] if "manifest_error" in story else []
    return [*table.split("\n"), *unread]


def _diff(hunk: dict[str, Any]) -> Iterator[str]:
    """The lines before and after, wrapped; of long ones the place where they begin to differ."""
    yield "  " + ", ".join(f"{kind} x {count}" if count > 1 else kind for kind, count in hunk["kinds"].items())
    before, after = "\n".join(hunk["before"]), "\n".join(hunk["after"])
    pairs = zip(before, after, strict=False)
    place = next((index for index, (a, b) in enumerate(pairs) if a != b), min(len(before), len(after)))
    for sign, side, is_there in (("-", before, hunk["before"]), ("+", after, hunk["after"])):
        if is_there:
            start = max(0, place - _BEFORE_CHANGE)
            start = 0 if start <= _BEFORE_CHANGE else start
            shown = ("..." if start else "") + side[start:]
            lines = [piece for line in shown.split("\n") for piece in wrapped(harmless(line), WIDTH - 6)]
            yield from (f"    {sign} {line}".rstrip() for line in lines[:_DIFF_LINES])
            if len(lines) > _DIFF_LINES:
                yield f"    {sign} ... {len(lines) - _DIFF_LINES:,} more lines"


def _section(name: str, values: dict[str, Any]) -> list[str]:
    lines = [name]
    for key, value in values.items():
        shown = f"{value:.6g}" if isinstance(value, float) else "" if value is None else str(value)
        # An address stays whole, so that it can be copied.
        pieces = [shown] if "://" in shown and " " not in shown else wrapped(" ".join(shown.split()), WIDTH - 22)
        lines += [f"  {key:<18}  {pieces[0]}".rstrip(), *(" " * 22 + piece for piece in pieces[1:])]
    return lines
