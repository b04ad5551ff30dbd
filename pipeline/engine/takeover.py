"""Results that a run takes instead of making them: those of another corpus under the same keys, and those of earlier code.

Files of another corpus are linked, or copied where a link is not possible, and compared with their recorded digests before they
get their names. No file of a corpus is ever written in place, so neither corpus can change the other.
"""

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.corpus.ledger import UnitRow
from pipeline.engine.plan import Plan, Unit, is_file_name
from pipeline.files import file_digest, sync, temporary_name

_SHA256_DIGITS = 64


@dataclass
class Takeover:
    """What a run may take.

    donor: the folder of another corpus, with its units; None for none. accepted: stages whose results by earlier code are kept.
    taken: units taken from the donor, by stage. kept: units kept although their code changed, by (stage, earlier code).
    """

    donor: Path | None = None
    units: Mapping[tuple[str, str], UnitRow] = field(default_factory=dict)
    accepted: frozenset[str] = frozenset()
    taken: Counter[str] = field(default_factory=Counter)
    kept: Counter[tuple[str, str]] = field(default_factory=Counter)

    def row_for(self, plan: Plan, unit: Unit) -> UnitRow | None:
        """The row of a finished result that `unit` need not make, its files in place; None if there is none. Raises OSError."""
        name = (unit.stage.name, unit.task.part)
        own = plan.units.get(name)
        if own is not None and plan.has_files(own) and self._fits(unit, own):
            self.kept[(unit.stage.name, own.ingredients["code"])] += 1
            return _under(unit, own)
        theirs = self.units.get(name)
        if theirs is None or self.donor is None or not self._fits(unit, theirs):
            return None
        if not all(_take(self.donor / file, plan.root / file, digest) for file, digest in _files(theirs)):
            return None
        self.taken[unit.stage.name] += 1
        return theirs if theirs.key == unit.key else _under(unit, theirs)

    def _fits(self, unit: Unit, row: UnitRow) -> bool:
        if row.status != "done":
            return False
        if row.key == unit.key:
            return True
        same = all(row.ingredients.get(name) == unit.made_of[name] for name in ("settings", "reads"))
        return same and unit.stage.name in self.accepted


def _under(unit: Unit, row: UnitRow) -> UnitRow:
    """The row under the unit's present key. `made_by` keeps the code that made the files: their columns may be those of then."""
    made_by = row.ingredients.get("made_by", row.ingredients["code"])
    made_of: dict[str, Any] = {**unit.made_of, "made_by": made_by}
    return row._replace(key=unit.key, ingredients=made_of)


def _files(row: UnitRow) -> list[tuple[str, str]]:
    return [(name, digest) for name, digest in row.output.items() if is_file_name(name)]


def _take(source: Path, target: Path, digest: str) -> bool:
    """Give `target` the file `source` if it has the digest; whether it does. Raises OSError if the disk is full."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(target)
    try:
        try:
            os.link(source, temporary)
        except FileNotFoundError:
            return False
        except OSError:  # another file system, or one without links
            shutil.copyfile(source, temporary)
            sync(temporary)
        if _digest(temporary, len(digest)) != digest:
            return False
        temporary.replace(target)
        sync(target.parent)
        return True
    finally:
        temporary.unlink(missing_ok=True)  # a rename onto a link of the same file leaves both names


def _digest(path: Path, digits: int) -> str:
    """The digest of the kind that the ledger has for the file: SHA-256 for token shards, BLAKE2b for all others."""
    if digits != _SHA256_DIGITS:
        return file_digest(path)
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
