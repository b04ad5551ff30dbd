"""The difference between two corpora as text for people."""

from typing import Any

from pipeline.audit.diff.difference import Difference, Group
from pipeline.corpus.ledger import Size
from pipeline.terminal import aligned_text, printable

_UNITS = ("documents", "characters", "tokens")
# A change of code can move pages between hundreds of rules; the largest changes of final tokens come first.
_GROUPS_SHOWN = 40


def diff_text(found: Difference) -> str:
    """Everything that differs, one section per subject; a section without a difference is one line."""
    parts = [aligned_text(["stage", *_headers()], [[row.stage, *_comparison(row.a, row.b)] for row in found.stages])]
    parts.append(_names("settings", found.settings))
    parts.append(_names("versions of the code", found.versions))
    parts.append(_groups(found.groups))
    if found.texts:
        header = ["texts of the same page differ in", "documents", "characters", "tokens"]
        rows = [[text.what, f"{text.documents:,}", f"{text.characters:+,}", f"{text.tokens:+,}"] for text in found.texts]
        parts.append(aligned_text(header, rows))
    else:
        parts.append("texts: the same wherever a page is in both")
    if found.hosts:
        header = ["host", "documents A", "B", "tokens A", "B", "change"]
        rows = [
            [
                *(host.host, f"{host.documents_a:,}", f"{host.documents_b:,}", f"{host.tokens_a:,}", f"{host.tokens_b:,}"),
                f"{host.tokens_b - host.tokens_a:+,}",
            ]
            for host in found.hosts
        ]
        parts.append(aligned_text(header, rows))
    else:
        parts.append("hosts: each has the same tokens in both")
    return "\n\n".join(parts)


def _headers() -> list[str]:
    return [header for unit in _UNITS for header in (f"{unit} A", "B", "change")]


def _comparison(a: Size | None, b: Size | None) -> list[str]:
    """Three cells per unit of size; empty if a corpus has no such stage."""
    cells = []
    for index in range(len(_UNITS)):
        cells += [f"{side[index]:,}" if side else "" for side in (a, b)]
        cells.append(f"{b[index] - a[index]:+,}" if a and b else "")
    return cells


def _names(title: str, changes: dict[str, tuple[Any, Any]]) -> str:
    if not changes:
        return f"{title}: the same"
    return aligned_text([title, "A", "B"], [[name, *map(_value, pair)] for name, pair in changes.items()])


def _value(value: Any) -> str:
    return "-" if value is None else str(value)


def _groups(groups: tuple[Group, ...]) -> str:
    if not groups:
        return "pages: the same, with the same fate"
    header = ["pages", "in A", "in B", *_UNITS, "change of final tokens"]
    rows = [
        [
            group.match,
            _value(group.fate_a),
            _value(group.fate_b),
            *(f"{number:,}" for number in group.size),
            f"{group.final_tokens:+,}",
        ]
        for group in groups[:_GROUPS_SHOWN]
    ]
    lines = [aligned_text(header, rows)]
    if len(groups) > _GROUPS_SHOWN:
        lines.append(f"and {len(groups) - _GROUPS_SHOWN} groups more; --json has them all")
    for group in groups:
        if group.examples:
            lines += ["", f"{group.match}, {_value(group.fate_a)} -> {_value(group.fate_b)}"]
            lines += [f"  {printable(page.url)}  {page.doc_id_a or page.doc_id_b}" for page in group.examples]
    return "\n".join(lines)
