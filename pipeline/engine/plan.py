"""The plan: the units of each stage, their keys, which are done, and why the others are not.

A unit is done if the ledger has its row under its current key and its files exist. The plan reads the ledger and the folder
and changes neither; the runner acts on it, and `status` prints it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from pipeline.corpus.ledger import Ledger, UnitRow
from pipeline.engine.keys import Fixed, ingredients, obeyed, unit_key
from pipeline.engine.stage import Stage, upstream_of
from pipeline.engine.task import Task
from pipeline.inputs.record import Source

ALL = "all"  # the part of a stage that works on the whole corpus


@dataclass
class Unit:
    """A unit of work, its ingredients and key, and its failures in this run (`deaths`: the records that workers died at)."""

    stage: Stage
    task: Task[Any]
    made_of: Any
    key: str
    errors: int = 0
    deaths: list[int] = field(default_factory=list)


class Plan:
    """Which units are done and which are not, computed from the ledger, the files and the manifest; it changes none of them."""

    def __init__(
        self,
        root: Path,
        manifest: BaseModel,
        ledger: Ledger,
        sources: list[Source],
        flow: Sequence[Stage],
        fixed: dict[str, Fixed],
        anew: frozenset[str] = frozenset(),
    ) -> None:
        """anew: pinned stages that are to be done again if their key changed."""
        self.root = root
        self.anew = anew
        self.flow = flow
        self.fixed = fixed
        self.manifest = manifest
        # A stage that worked on parts in an earlier version, and now on the whole corpus, has rows of units that no longer exist.
        whole = {stage.name for stage in flow if stage.scope == "corpus"}
        rows = ledger.units()
        self.units = {name: row for name, row in rows.items() if name[0] not in whole or name[1] == ALL}
        self.outgrown = sorted(rows.keys() - self.units.keys())
        self.inputs = _parts_of(ledger, sources)
        self.parts = sorted(self.inputs)
        self.digests: dict[str, str] = {}
        for unit in self.units.values():
            self.digests.update(unit.output)

    def of(self, stage: Stage) -> list[Unit]:
        """All units of a stage, done or not, with keys for the current outputs of the stages before it."""
        names = self.parts
        if stage.scope == "corpus":
            names = [ALL]
        elif stage.scope == "shard":
            names = stage.shards(self.root)
        # A copy per unit would make the memory and the bytes sent to workers grow with the square of the parts.
        parts = tuple(self.parts) if stage.scope in ("corpus", "shard") else ()
        return [self._unit(stage, name, parts) for name in names]

    def _unit(self, stage: Stage, part: str, parts: tuple[str, ...]) -> Unit:
        source = self.inputs.get(part) if stage.scope == "input" else None
        upstream = upstream_of(stage, self.flow)
        made_of = ingredients(stage, self.fixed[stage.name], upstream, self.digests, part, self.parts)
        if source is not None:
            made_of["reads"] = {f"input {source.uri} [{source.start}, {source.end})": source.identity}
        settings, code = obeyed(stage, self.manifest), self.fixed[stage.name].code
        task = Task(str(self.root), stage.name, part, parts, settings, upstream, source, code)
        return Unit(stage, task, made_of, unit_key(made_of))

    def is_done(self, unit: Unit) -> bool:
        """Whether the ledger has the unit under its current key, or pinned, and its files exist."""
        row = self.units.get((unit.stage.name, unit.task.part))
        if row is None or row.status != "done":
            return False
        return (row.key == unit.key or self.is_pinned(unit)) and self.has_files(row)

    def is_pinned(self, unit: Unit) -> bool:
        """Whether a finished unit is kept although its key changed: it is pinned, under the same settings."""
        row = self.units.get((unit.stage.name, unit.task.part))
        if row is None or row.status != "done" or not unit.stage.pinned or unit.stage.name in self.anew:
            return False
        return row.key != unit.key and bool(row.ingredients.get("settings") == unit.made_of["settings"])

    def has_files(self, row: UnitRow) -> bool:
        """Whether all files of a unit exist."""
        return all((self.root / name).exists() for name in row.output if is_file_name(name))

    def why(self, unit: Unit) -> str:
        """Why a unit is not done, as text for `status`."""
        row = self.units.get((unit.stage.name, unit.task.part))
        if row is None:
            return "never done"
        if row.status != "done":
            return f"failed: {row.error}"
        reasons = []
        if row.ingredients.get("code") != unit.made_of["code"] and not unit.stage.pinned:
            reasons.append("its code or a library changed")
        reasons += differences("", row.ingredients.get("settings"), unit.made_of["settings"])
        before, now = row.ingredients.get("reads", {}), unit.made_of["reads"]
        changed = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
        if changed and not unit.stage.pinned:
            more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
            reasons.append(f"{', '.join(changed[:3])}{more} changed")
        missing = [name for name in row.output if is_file_name(name) and not (self.root / name).exists()]
        reasons += [f"{name} is missing" for name in missing[:3]]
        return "; ".join(reasons) or "its key changed"


def _parts_of(ledger: Ledger, sources: list[Source]) -> dict[str, Source]:
    """Sources by part name. A source keeps its first name, so that a new input renames no existing part."""
    known = {(uri, start, end): part for uri, start, end, part in ledger.rows("SELECT * FROM inputs")}
    following = 1 + max((int(part.removeprefix("part-")) for part in known.values()), default=-1)
    named = {}
    for source in sources:
        place = (source.uri, source.start, source.end)
        if place not in known:
            known[place] = f"part-{following:05d}"
            following += 1
        named[known[place]] = source
    return named


def differences(prefix: str, before: Any, now: Any) -> list[str]:
    """The settings that changed, as `key: old -> new`."""
    if before == now:
        return []
    if isinstance(before, dict) and isinstance(now, dict):
        found = []
        for key in sorted({*before, *now}):
            found += differences(f"{prefix}.{key}".lstrip("."), before.get(key), now.get(key))
        return found
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        return [item for old, new in zip(before, now, strict=True) for item in differences(prefix, old, new)]
    return [f"{prefix or 'a list or model'}: {before} -> {now}"]


def is_file_name(name: str) -> bool:
    """Whether a unit's output is a file; other outputs are digests of something inside a file."""
    return "." in Path(name).name
