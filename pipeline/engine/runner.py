"""The walk through the flow: do what the plan finds not done, record it, retry it, or record that it failed.

What is not done is given to the executor; what comes back is renamed to its final name and recorded in one transaction. A unit
that fails is tried again, then recorded as failed; the walk goes on without what depends on it and ends with a list.
"""

import errno
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pipeline.corpus.ledger import Ledger, UnitRow
from pipeline.corpus.writer import commit
from pipeline.engine.executor import Executor, Outcome
from pipeline.engine.keys import obeyed
from pipeline.engine.plan import Plan, Unit, is_file_name
from pipeline.engine.stage import Stage
from pipeline.engine.task import Result

# An error may be the machine's (memory, a network file); the same one twice is the unit's.
MAX_ERRORS = 2
# Deaths are the operator's or the machine's unless the same record is named again and again; a unit does not die for ever. A
# kill comes from outside, for a page that takes all memory too, but it may well find a worker twice at the same slow page.
DEATHS_AT_A_RECORD = {"crash": 2, "timeout": 2, "killed": 4}
MAX_DEATHS = 12
# Wall-clock seconds within one record before a worker counts as stuck, as a multiple of the computing time that a record
# may take: other processes may hold the cores.
PATIENCE = 6


class Listener:
    """What a run tells whoever watches; this one says nothing."""

    def stage(self, name: str, total: int, todo: int) -> None:
        """A stage begins: it has `total` units, `todo` of them not done."""

    def unit(self, name: str, part: str, rows: int, seconds: float) -> None:
        """A unit is done and recorded."""

    def problem(self, message: str) -> None:
        """Something went wrong that does not end the run."""


@dataclass(frozen=True)
class Walked:
    """What a walk did: units done now, those that failed as (stage, part, error), and whether it reached the last stage."""

    done: int
    failed: list[tuple[str, str, str]]
    reached_the_end: bool


class Walk:
    """One walk through `stages`, all of the plan's flow or its last ones."""

    def __init__(self, plan: Plan, ledger: Ledger, listener: Listener, executor: Executor, stages: Sequence[Stage]) -> None:
        self.plan = plan
        self.stages = stages
        self.root = plan.root
        self.ledger = ledger
        self.listener = listener
        self.executor = executor
        self.failed: list[tuple[str, str, str]] = []
        self.done = 0

    def walk(self) -> Walked:
        """Do the stages in order. Raises OSError when the disk is full."""
        self._forget_parts_but(self.plan.parts, self.stages)
        reached_the_end = False
        for position, stage in enumerate(self.stages):
            units = self.plan.of(stage)
            todo = [unit for unit in units if not self.plan.is_done(unit)]
            self.listener.stage(stage.name, len(units), len(todo))
            before = len(self.failed)
            self._perform(stage, todo)
            lost = {part for _, part, _ in self.failed[before:]}
            self.plan.parts = [part for part in self.plan.parts if part not in lost]
            self._forget_parts_but(self.plan.parts, self.stages[position + 1 :])
            if (lost and stage.scope in ("corpus", "shard")) or not self.plan.parts:
                break
        else:
            reached_the_end = True
        return Walked(self.done, self.failed, reached_the_end)

    def _perform(self, stage: Stage, todo: list[Unit]) -> None:
        """Do units of one stage, as often as errors and deaths allow."""
        patience = PATIENCE * stage.seconds_at_a_record(obeyed(stage, self.plan.manifest))
        waiting = {unit.task.part: unit for unit in todo}
        while waiting:
            tasks = [unit.task for unit in waiting.values()]
            again: dict[str, Unit] = {}
            for outcome in self.executor.run(stage.perform, tasks, patience):
                unit = waiting[outcome.task.part]
                if outcome.result is not None:
                    self._accept(unit, outcome.result, outcome.seconds)
                elif self._may_try_again(unit, outcome):
                    again[unit.task.part] = unit
            waiting = again

    def _accept(self, unit: Unit, result: Result, seconds: float) -> None:
        commit(self.root, list(result.outputs))
        output = {written.final: written.digest for written in result.outputs} | dict(result.digests)
        digest = hashlib.blake2b(repr(sorted(output.items())).encode(), digest_size=16).hexdigest()
        stage, part = unit.stage.name, unit.task.part
        row = UnitRow(stage, part, unit.key, result.rows, output, digest, seconds, "done", None, unit.made_of)
        before = self.plan.units.get((stage, part))
        self.ledger.record(row)
        if unit.stage.scope != "shard":  # the earlier dataset may still name its shards; publishing removes those
            self._remove(name for name in (before.output if before else {}) if name not in output)
        self.plan.units[(stage, part)] = row
        self.plan.digests.update(output)
        self.done += 1
        self.listener.unit(stage, part, row.rows, seconds)

    def _may_try_again(self, unit: Unit, outcome: Outcome) -> bool:
        """Decide on a failure: try again, try without the record that kills workers, or record it as failed."""
        name = f"{unit.stage.name} {unit.task.part}"
        if outcome.died and self._survives_death(unit, outcome, name):
            return True
        if outcome.kind == "no_space":
            raise OSError(errno.ENOSPC, "no space is left on the device", str(self.root))
        unit.errors += 1
        error = outcome.error or f"{len(unit.deaths)} workers died at it"
        if unit.errors < MAX_ERRORS and outcome.kind != "user" and not outcome.died:
            self.listener.problem(f"{name}: {error}; trying again")
            return True
        self.failed.append((unit.stage.name, unit.task.part, error))
        self.listener.problem(f"{name} failed: {error}")
        row = UnitRow(unit.stage.name, unit.task.part, unit.key, 0, {}, "", outcome.seconds, "failed", error, unit.made_of)
        self.ledger.record(row)
        self.plan.units[(row.stage, row.part)] = row
        return False

    def _survives_death(self, unit: Unit, outcome: Outcome, name: str) -> bool:
        """Whether a unit whose worker died is tried again, perhaps without the record that the worker was at."""
        assert outcome.died is not None
        unit.deaths.append(outcome.position)
        at_this_record = unit.deaths.count(outcome.position)
        if outcome.position >= 0 and at_this_record >= DEATHS_AT_A_RECORD[outcome.died]:
            rule = "timeout" if outcome.died == "timeout" else "parser_crash"
            unit.task = replace(unit.task, skip={**unit.task.skip, outcome.position: rule})
            self.listener.problem(f"{name}: record {outcome.position} ended {at_this_record} workers; it is dropped by {rule}")
            return True
        if len(unit.deaths) < MAX_DEATHS:
            self.listener.problem(f"{name}: its worker died ({outcome.died}); trying again")
            return True
        return False

    def _forget_parts_but(self, parts: list[str], stages: Sequence[Stage]) -> None:
        """Remove what `stages` made of parts that are no input any more, or failed, so that no view shows it."""
        names = {stage.name for stage in stages}
        for (stage, part), row in list(self.plan.units.items()):
            if stage in names and part.startswith("part-") and part not in parts:
                self.ledger.forget(stage, part)
                self._remove(row.output)
                del self.plan.units[(stage, part)]

    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            if is_file_name(name):
                (self.root / name).unlink(missing_ok=True)
