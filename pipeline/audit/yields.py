"""The yield table: what each stage let through, in the shape of Swallow's published one (NLP2024 A6-1, table 1)."""

import unicodedata
from collections.abc import Sequence
from typing import Any

from pipeline.corpus.ledger import Ledger

_COUNTS = "stage, docs_in, docs_out, chars_in, chars_out, bytes_in, bytes_out, tokens_in, tokens_out, seconds"


def yield_rows(ledger: Ledger) -> list[dict[str, Any]]:
    """A mapping a stage, with the counts of the ledger, its share of the extracted documents and its rules."""
    names = _COUNTS.split(", ")
    stages = [dict(zip(names, row, strict=True)) for row in ledger.rows(f"SELECT {_COUNTS} FROM stage_counts ORDER BY ordinal")]
    extracted = next((stage["docs_out"] for stage in stages if stage["stage"] == "extract"), 0)
    for stage in stages:
        stage["share_of_stage"] = _share(stage["docs_out"], stage["docs_in"])
        stage["share_of_extracted"] = _share(stage["docs_out"], extracted)
        rules = ledger.rows(
            "SELECT rule, threshold, docs, chars, tokens FROM rule_counts WHERE stage = ? ORDER BY docs DESC, rule",
            stage["stage"],
        )
        stage["rules"] = [dict(zip(("rule", "threshold", "docs", "chars", "tokens"), rule, strict=True)) for rule in rules]
    return stages


def yield_table(ledger: Ledger) -> str:
    """The table for people: what is left after each stage, then what each rule was the first to drop."""
    stages = yield_rows(ledger)
    if not stages:
        return "nothing is counted yet"
    header = ["stage", "documents in", "left", "of stage", "of extracted", "characters", "bytes", "tokens", "seconds"]
    rows: list[list[str]] = []
    for stage in stages:
        sizes = [_count(stage[f"{unit}_out"]) for unit in ("chars", "bytes", "tokens")]
        shares = [_percent(stage["share_of_stage"]), _percent(stage["share_of_extracted"])]
        counts = [_count(stage["docs_in"]), _count(stage["docs_out"])]
        rows.append([stage["stage"], *counts, *shares, *sizes, f"{stage['seconds']:.1f}"])
    drops = [
        [
            stage["stage"],
            rule["rule"],
            _count(rule["docs"]),
            _percent(_share(rule["docs"], stage["docs_in"])),
            _count(rule["tokens"]),
        ]
        for stage in stages
        for rule in stage["rules"]
    ]
    table = aligned_text(header, rows)
    return f"{table}\n\n{aligned_text(['stage', 'dropped by', 'documents', 'of stage', 'tokens'], drops)}"


def aligned_text(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table in plain text; numbers to the right, full-width characters as two columns."""
    cells = [["" if value is None else str(value) for value in row] for row in rows]
    widths = [max(_width(cell) for cell in column) for column in zip(columns, *cells, strict=True)]
    numeric = [all(_is_number(row[index]) for row in cells) and bool(cells) for index in range(len(columns))]
    lines = [_line(columns, widths, numeric), "  ".join("-" * width for width in widths)]
    lines += [_line(row, widths, numeric) for row in cells]
    return "\n".join(line.rstrip() for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    padded = []
    for cell, width, right in zip(cells, widths, numeric, strict=True):
        space = " " * (width - _width(cell))
        padded.append(space + cell if right else cell + space)
    return "  ".join(padded)


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _is_number(cell: str) -> bool:
    return not cell.strip("0123456789.,-+%e ")


def _share(part: int | None, whole: int | None) -> float | None:
    return part / whole if part is not None and whole else None


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.2%}"


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"
