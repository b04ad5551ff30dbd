"""The reference of all keys of a manifest, as Markdown, from the config classes, the measures and the rules themselves.

`python -m pipeline.operations.reference` writes docs/manifest.md; a test holds the page to the code.
"""

import json
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pipeline.clean import config as clean
from pipeline.dedup import config as dedup
from pipeline.extract import config as extract
from pipeline.files import write_text
from pipeline.hosts import config as hosts
from pipeline.manifest import Manifest
from pipeline.measure.table import MEASURES
from pipeline.pii import config as pii
from pipeline.quality.config import Bounds
from pipeline.quality.fields import FieldBounds
from pipeline.quality.profiles import PROFILES
from pipeline.rules import Rule

PAGE = Path(__file__).parents[2] / "docs" / "manifest.md"

_HEAD = """# The manifest: every key

This page is written by `python -m pipeline.operations.reference` from the config classes; do not edit it.

A manifest is YAML. An absent key has its default. `--set SECTION.KEY=VALUE` overrides a key for one command; the value is written
as in YAML. A wrong key or value ends the command with exit status 2 and the nearest right one. Lengths are in code points
(`characters`) or bytes, as the meaning says; shares and fractions are between 0 and 1.

```yaml
input: [/crawls/*.warc.gz, texts.jsonl]
output: corpus
quality:
  num_letters: {min: 300}
tokenizer:
  vocabulary: 32768
```
"""


def reference() -> str:
    """The whole page."""
    sections = {name: field for name, field in Manifest.model_fields.items() if _section_of(field) is not None}
    top = {name: field for name, field in Manifest.model_fields.items() if name not in sections}
    parts = [_HEAD, "## Top level\n", _table(top)]
    for name, field in sections.items():
        section = _section_of(field)
        assert section is not None
        parts += [f"## {name}\n", _first_paragraph(section), _table(_plain_fields(section))]
        parts += _after(name)
    return "\n".join(parts).rstrip("\n") + "\n"


def _after(section: str) -> list[str]:
    """What follows the keys of a section: the bounds of quality, and the rules of other stages."""
    if section == "quality":
        return [*_quality()]
    rules = {
        "extract": extract.RULES,
        "dedup": dedup.rules_of(dedup.DedupConfig()),
        "hosts": hosts.rules_of(hosts.HostsConfig()),
        "clean": clean.RULES,
        "pii": pii.RULES,
    }.get(section)
    return ["What drops a record or document, in the order in which the rules judge:\n", _rule_table(rules)] if rules else []


def _quality() -> Iterator[str]:
    yield "### quality: bounds on measured numbers\n"
    yield "Each measured number below is a key of `quality`. Its value is `null` (no rule) or a mapping of bounds:\n"
    yield _table(Bounds.model_fields)
    header = "| measured number | meaning | " + " | ".join(f"`{name}`" for name in PROFILES) + " | source |"
    lines = [header, "|---|---|" + "---|" * (len(PROFILES) + 1)]
    by_profile = [{rule.measured: rule for rule in profile} for profile in PROFILES.values()]
    for measure in MEASURES:
        bounds = " | ".join(_bounds(rules.get(measure.name)) for rules in by_profile)
        lines.append(f"| `{measure.name}` | {_cell(measure.description)} | {bounds} | {_cell(measure.source)} |")
    yield "\n".join(lines) + "\n"
    yield "### quality.fields: bounds on fields that came with the records\n"
    yield "A key of `quality.fields` is the path of a field in `documents.metadata`; its value is a mapping of these:\n"
    yield _table(FieldBounds.model_fields)


def _bounds(rule: Rule | None) -> str:
    signs = {"minimum": "≥", "above": ">", "maximum": "≤", "below": "<"}
    return "" if rule is None else ", ".join(f"{signs[kind]} {bound:g}" for kind, bound in rule.bounds())


def _rule_table(rules: tuple[Rule, ...]) -> str:
    rows = [f"| `{rule.name}` | {_bounds(rule)} | {_cell(rule.source)} |" for rule in rules]
    return "\n".join(["| rule | kept | reason |", "|---|---|---|", *rows]) + "\n"


def _plain_fields(section: type[BaseModel]) -> dict[str, FieldInfo]:
    return {name: field for name, field in section.model_fields.items() if _section_of(field) is None}


def _table(fields: dict[str, FieldInfo]) -> str:
    rows = []
    for name, field in fields.items():
        cells = (f"`{name}`", type_text(field.annotation), default_text(name, field), field.description or "")
        rows.append(f"| {' | '.join(map(_cell, cells))} |")
    return "\n".join(["| key | type | default | meaning |", "|---|---|---|---|", *rows]) + "\n"


def type_text(annotation: Any) -> str:
    """A type as users write its values: the choices, `list of text`, `number or null`."""
    names = {str: "text", int: "whole number", float: "number", bool: "true or false", Path: "path", type(None): "null"}
    if annotation in names:
        return names[annotation]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return type_text(arguments[0])
    if origin is Literal:
        return " | ".join(str(choice) for choice in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(type_text(argument) for argument in arguments)
    if origin is tuple:
        return f"list of {type_text(arguments[0])}"
    return "mapping"


def default_text(name: str, field: FieldInfo) -> str:
    """The default of a field, as YAML writes it."""
    if name == "workers":
        return "one per core"  # computed on the machine
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    if isinstance(value, BaseModel):
        return "{}"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else str(value) or '""'


def _section_of(field: FieldInfo) -> type[BaseModel] | None:
    annotation: Any = field.annotation
    is_section = isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation.__name__.endswith("Config")
    return annotation if is_section else None


def _first_paragraph(section: type[BaseModel]) -> str:
    return " ".join((section.__doc__ or "").strip().split("\n\n")[0].split()) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    write_text(PAGE, reference())
    sys.stdout.write(f"{PAGE}\n")
