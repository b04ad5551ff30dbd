"""The walk through the flow: perform the units that the plan finds not done, and record each as done or failed.

Such units go to the executor; their files get their final names, and the ledger records the unit in one transaction. A unit that
fails is retried, then recorded as failed. The walk continues without what depends on it and ends with a list of failures.
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
from pipeline.engine.takeover import Takeover
from pipeline.engine.task import Result
from pipeline.engine.worker_progress import Working
from pipeline.places import user_name

# A first error may be the machine's (memory, a network file); a second one is taken for the unit's own.
MAX_ERRORS = 2
# A death is blamed on a record only if workers die at it repeatedly. "killed" takes more deaths: a page that takes all memory
# ends in a kill, but other kills may well hit a worker twice at the same slow page. MAX_DEATHS bounds the retries of a unit.
DEATHS_AT_A_RECORD = {"crash": 2, "timeout": 2, "killed": 4}
MAX_DEATHS = 12
# A worker counts as stuck after this multiple of the computing time that one record may take, in wall-clock seconds: other
# processes may hold the cores.
PATIENCE = 6


class Listener:
    """Receives the events of a run; this one ignores them."""

    def stage(self, name: str, total: int, todo: int) -> None:
        """A stage begins; `todo` of its `total` units are not done."""

    def unit(self, name: str, part: str, rows: int, seconds: float) -> None:
        """A unit is done and recorded, in `seconds` of wall-clock time."""

    def working(self, working: Working) -> None:
        """How far the units at work are; called about once a second."""

    def note(self, message: str) -> None:
        """The run says what it does, and why."""

    def problem(self, message: str) -> None:
        """Something went wrong that does not end the run."""


@dataclass(frozen=True)
class Walked:
    """What a walk did: the number of units done, the failures as (stage, part, error), and whether it reached the end.

    stopped_before: the stage of the whole corpus that was not begun because a part had failed; None if there was none.
    """

    done: int
    failed: list[tuple[str, str, str]]
    reached_the_end: bool
    stopped_before: str | None = None


class Walk:
    """One walk through `stages`: the plan's flow, or its last stages.

    allow_failed: whether to do stages of the whole corpus without the parts that failed before them.
    """

    def __init__(
        self,
        plan: Plan,
        ledger: Ledger,
        listener: Listener,
        executor: Executor,
        stages: Sequence[Stage],
        takeover: Takeover,
        allow_failed: bool = False,
    ) -> None:
        self.takeover = takeover
        self._accepted: set[tuple[str, str | None]] = set()
        self.allow_failed = allow_failed
        self.plan = plan
        self.stages = stages
        self.root = plan.root
        self.ledger = ledger
        self.listener = listener
        self.executor = executor
        self.failed: list[tuple[str, str, str]] = []
        self.done = 0

    def walk(self) -> Walked:
        """Perform the stages in order. Raises OSError if the disk is full."""
        self._forget_parts_but(self.plan.parts, self.stages)
        for stage_and_part in self.plan.outgrown:
            self.ledger.forget(*stage_and_part)
        reached_the_end = False
        for position, stage in enumerate(self.stages):
            if self.failed and stage.scope in ("corpus", "shard") and not self.allow_failed:
                return Walked(self.done, self.failed, False, stage.name)
            units = self.plan.of(stage)
            self._say_what_is_pinned(units)
            todo = [unit for unit in units if not self.plan.is_done(unit) and not self._take_over(unit)]
            self.listener.stage(stage.name, len(units), len(todo))
            before = len(self.failed)
            self.ledger.publish_if_due()
            self._perform(stage, todo)
            lost = {part for _, part, _ in self.failed[before:]}
            self.plan.parts = [part for part in self.plan.parts if part not in lost]
            self._forget_parts_but(self.plan.parts, self.stages[position + 1 :])
            if lost and not self.plan.parts and stage.scope in ("input", "part"):
                following = [each.name for each in self.stages[position:] if each.scope in ("corpus", "shard")]
                return Walked(self.done, self.failed, False, following[0] if following else None)
            if (lost and stage.scope in ("corpus", "shard")) or not self.plan.parts:
                break
        else:
            reached_the_end = True
        return Walked(self.done, self.failed, reached_the_end)

    def _perform(self, stage: Stage, todo: list[Unit]) -> None:
        """Perform units of one stage; retry as often as the limits on errors and deaths allow."""
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

    def _say_what_is_pinned(self, units: Sequence[Unit]) -> None:
        if any(self.plan.is_pinned(unit) and self.plan.is_done(unit) for unit in units):
            name = units[0].stage.name
            self.listener.note(f"the {name} stays as it is, so that no text is encoded again; --retrain-{name} makes a new one")

    def _take_over(self, unit: Unit) -> bool:
        """Record a finished result that the unit need not make; whether there is one."""
        row = self.takeover.row_for(self.plan, unit)
        if row is None:
            return False
        earlier, code = row.ingredients.get("made_by"), unit.made_of["code"]
        if earlier not in (None, code) and (row.stage, earlier) not in self._accepted:
            self._accepted.add((row.stage, earlier))
            self.ledger.note(user_name(), "accepted code", row.stage, earlier=earlier, now=code)
        self._record(unit, row)
        return True

    def _accept(self, unit: Unit, result: Result, seconds: float) -> None:
        commit(self.root, list(result.outputs))
        output = {written.final: written.digest for written in result.outputs} | dict(result.digests)
        digest = hashlib.blake2b(repr(sorted(output.items())).encode(), digest_size=16).hexdigest()
        stage, part = unit.stage.name, unit.task.part
        row = UnitRow(stage, part, unit.key, result.rows, output, digest, seconds, "done", None, unit.made_of)
        self._record(unit, row)
        self.done += 1
        self.listener.unit(stage, part, row.rows, seconds)

    def _record(self, unit: Unit, row: UnitRow) -> None:
        """Record a unit whose files are in place, and remove those of its earlier result."""
        before = self.plan.units.get((row.stage, row.part))
        if unit.stage.pinned:
            self.ledger.note(user_name(), "pinned", row.stage, inputs=len(self.plan.parts), digest=row.digest)
        self.ledger.record(row)
        if unit.stage.scope != "shard":  # the earlier dataset may still name its shards; publishing removes those
            self._remove(name for name in (before.output if before else {}) if name not in row.output)
        self.plan.units[(row.stage, row.part)] = row
        self.plan.digests.update(row.output)

    def _may_try_again(self, unit: Unit, outcome: Outcome) -> bool:
        """Decide on a failed unit: True to retry (perhaps without a deadly record), False after recording the failure."""
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
        """Whether to retry a unit whose worker died, perhaps without the record that the worker was at."""
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
        """Remove the outputs of `stages` for parts that failed or are no longer inputs, so that no view shows them."""
        names, kept = {stage.name for stage in stages}, set(parts)
        for (stage, part), row in list(self.plan.units.items()):
            if stage in names and part.startswith("part-") and part not in kept:
                self.ledger.forget(stage, part)
                self._remove(row.output)
                del self.plan.units[(stage, part)]

    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            if is_file_name(name):
                (self.root / name).unlink(missing_ok=True)
