"""The run: walk the flow, do what the ledger lacks, record it; the bookkeeping of every stage lives here, once.

What the plan finds not done is given to the executor; what comes back is renamed to its final name and recorded in one
transaction. A unit that fails is tried again, then recorded as failed, and the run goes on without what depends on it and
ends with a list.
"""

import datetime
import errno
import fcntl
import hashlib
import platform
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import yaml

import pipeline
from pipeline.corpus.ledger import Ledger, UnitRow
from pipeline.engine.local import Executor, LocalExecutor, Outcome, describe
from pipeline.engine.plan import Plan, Unit, is_file_name
from pipeline.engine.task import Result
from pipeline.files import commit, remove_temporary_files, write_text
from pipeline.flow import FLOW, Fixed, Stage, fixed_ingredients, unit_key
from pipeline.inputs.sources import InputError, Source, resolve_inputs
from pipeline.manifest import Manifest
from pipeline.operations import counts
from pipeline.tokenize import publish as dataset

# An error may be the machine's (memory, a network file); the same one twice is the unit's.
MAX_ERRORS = 2
# Deaths are the operator's or the machine's unless the same record is named again and again; a unit does not die for ever. A
# kill comes from outside, for a page that takes all memory too, but it may well find a worker twice at the same slow page.
DEATHS_AT_A_RECORD = {"crash": 2, "timeout": 2, "killed": 4}
MAX_DEATHS = 12
# Wall-clock seconds within one record before a worker counts as stuck, as a multiple of the computing time that a page
# may take: other processes may hold the cores.
PATIENCE = 6

# Inputs named in a message.
MISSING_SHOWN = 5


class RunError(Exception):
    """The run cannot start or go on; the message says why and what to do."""


@dataclass(frozen=True)
class Report:
    """What a run did: units done now, and those that failed as (stage, part, error)."""

    done: int
    failed: list[tuple[str, str, str]]
    fingerprint: str | None


class Listener:
    """What a run tells whoever watches; this one says nothing."""

    def stage(self, name: str, total: int, todo: int) -> None:
        """A stage begins: so many units, so many of them not done."""

    def unit(self, name: str, part: str, rows: int, seconds: float) -> None:
        """A unit is done and recorded."""

    def problem(self, message: str) -> None:
        """Something went wrong that does not end the run."""


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the corpus folder for this process alone. Raises RunError when it cannot be made, or another run holds it.

    The lock is the kernel's, on an open file, so it goes with the process however that ends.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        stream: IO[str] = (root / ".lock").open("a+")
    except OSError as error:
        raise RunError(f"output {root} cannot be written: {error.strerror}; name another with --output") from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RunError(f"another run is at work on {root}; wait for it to end, or name another --output") from error
        yield


def run(manifest: Manifest, listener: Listener, executor: Executor | None = None, *, forget: bool = False) -> Report:
    """Build the corpus that `manifest` describes, doing only what is not done.

    forget: whether the pages of inputs that the corpus holds and the manifest does not name may be deleted. Raises RunError,
    InputError (also when they may not), LedgerError.
    """
    sources = resolve_inputs(manifest.input, manifest.paths_prefix, manifest.paths_limit)
    with locked(Path(manifest.output)), Ledger(Path(manifest.output)) as ledger:
        if not forget:
            _refuse_to_forget(ledger, sources)
        return _run(manifest, sources, ledger, FLOW, listener, executor)


def _refuse_to_forget(ledger: Ledger, sources: Sequence[Source]) -> None:
    """Raises InputError when the corpus holds pages of an input that is not among `sources`."""
    query = "SELECT DISTINCT uri FROM inputs JOIN units USING (part) WHERE stage = 'extract' AND status = 'done' ORDER BY uri"
    named = {source.uri for source in sources}
    missing = [uri for (uri,) in ledger.rows(query) if uri not in named]
    if missing:
        shown = ", ".join(missing[:MISSING_SHOWN]) + (
            f" and {len(missing) - MISSING_SHOWN} more" if missing[MISSING_SHOWN:] else ""
        )
        raise InputError(
            f"{ledger.root} holds pages of {len(missing)} input{'s' * (len(missing) > 1)} that this run does not name: {shown}; "
            "name all inputs, with --input for each, to keep their pages, or pass --forget to delete them"
        )


def rerun_removals(manifest: Manifest, ledger: Ledger, listener: Listener) -> Report:
    """Do what is not done of `removals` and the stages behind it; those before it are taken as they lie, stale or not.

    Inputs are not looked at: a take-down must neither need the crawl nor wait for it to be read again. `ledger` is open to
    write, under `locked`. Raises RunError, LedgerError.
    """
    position = [stage.name for stage in FLOW].index("removals")
    query = "SELECT uri, start_byte, end_byte FROM inputs JOIN units USING (part) WHERE stage = 'pii' AND units.status = 'done'"
    sources = [Source(uri, start, end, identity="") for uri, start, end in ledger.rows(query)]
    return _run(manifest, sources, ledger, FLOW[position:], listener, None)


def _run(
    manifest: Manifest,
    sources: list[Source],
    ledger: Ledger,
    stages: Sequence[Stage],
    listener: Listener,
    executor: Executor | None,
) -> Report:
    root = Path(manifest.output)
    fixed = fixed_ingredients(manifest, stages)
    remove_temporary_files(root)
    run_id = _begin(ledger, manifest, fixed)
    executor = executor or LocalExecutor(manifest.workers)
    status = "interrupted"
    try:
        plan = Plan(root, manifest, ledger, sources, fixed)
        report = _Run(plan, ledger, listener, executor, stages).walk(run_id)
        status = "failed" if report.failed else "done"
    except OSError as error:
        status = "stopped"
        raise RunError(f"the run stopped: {describe(error)}; what is done stays done, `run` again to go on") from error
    finally:
        executor.close()
        ledger.rows("UPDATE runs SET finished = now()::TIMESTAMP, status = ? WHERE run_id = ? RETURNING 1", status, run_id)
        remove_temporary_files(root)
    return report


def _begin(ledger: Ledger, manifest: Manifest, fixed: dict[str, Fixed]) -> str:
    """Record that a run began, and the resolved manifest with the versions it runs under."""
    run_id = f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
    content = manifest.model_dump(mode="json")
    versions = {**_recorded_versions(ledger.root), **{name: of_stage.code for name, of_stage in fixed.items()}}
    code = hashlib.blake2b(repr(sorted(versions.items())).encode(), digest_size=8).hexdigest()
    resolved = {
        **content,
        "versions": {"kotokura": pipeline.__version__, "python": platform.python_version(), **versions},
    }
    write_text(ledger.root / "manifest.yaml", yaml.safe_dump(resolved, allow_unicode=True, sort_keys=False))
    manifest_hash = unit_key({key: value for key, value in content.items() if key not in ("output", "workers")})
    ledger.rows(
        "INSERT INTO runs VALUES (?, now()::TIMESTAMP, NULL, ?, ?, 'local', ?, ?, 'running') RETURNING 1",
        *(run_id, manifest_hash, code, manifest.workers, platform.node()),
    )
    return run_id


def _recorded_versions(root: Path) -> dict[str, str]:
    """Under what the stages that are not walked now were built."""
    path = root / "manifest.yaml"
    recorded = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else None
    versions = recorded.get("versions", {}) if isinstance(recorded, dict) else {}
    return {stage.name: versions[stage.name] for stage in FLOW if stage.name in versions}


class _Run:
    """One walk through the flow, or its last `stages`."""

    def __init__(self, plan: Plan, ledger: Ledger, listener: Listener, executor: Executor, stages: Sequence[Stage]) -> None:
        self.plan = plan
        self.stages = stages
        self.root = plan.root
        self.ledger = ledger
        self.listener = listener
        self.executor = executor
        self.failed: list[tuple[str, str, str]] = []
        self.done = 0

    def walk(self, run_id: str) -> Report:
        """All stages in order, then the counts and the check that they add up."""
        if self.stages is FLOW:
            self.ledger.replace_rows("inputs", [(s.uri, s.start, s.end, part) for part, s in sorted(self.plan.inputs.items())])
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
        fingerprint = dataset.publish(self.root, self.ledger) if reached_the_end else dataset.published(self.root)
        counts.refresh(self.ledger, run_id, self.done > 0)
        has_failed = any(unit.status == "failed" for unit in self.plan.units.values())
        counts.check(self.ledger, whole=reached_the_end and not has_failed)
        return Report(self.done, self.failed, fingerprint)

    def _perform(self, stage: Stage, todo: list[Unit]) -> None:
        """Do units of one stage, as often as errors and deaths allow."""
        patience = PATIENCE * self.plan.manifest.extract.max_seconds
        waiting = {unit.task.part: unit for unit in todo}
        while waiting:
            tasks = [unit.task for unit in waiting.values()]
            again: dict[str, Unit] = {}
            for outcome in self.executor.run(stage.perform, tasks, patience):
                unit = waiting[outcome.task.part]
                if isinstance(outcome.result, Result):
                    self._accept(unit, outcome.result, outcome.seconds)
                elif self._may_try_again(unit, outcome):
                    again[unit.task.part] = unit
            waiting = again

    def _accept(self, unit: Unit, result: Result, seconds: float) -> None:
        commit(self.root, list(result.outputs))
        output = {written.final: written.digest for written in result.outputs} | dict(result.digests)
        digest = hashlib.blake2b(repr(sorted(output.items())).encode(), digest_size=16).hexdigest()
        row = UnitRow(
            *(
                unit.stage.name,
                unit.task.part,
                unit.key,
                result.rows,
                output,
                digest,
                seconds,
                "done",
                None,
                unit.made_of,
            )
        )
        before = self.plan.units.get((row.stage, row.part))
        self.ledger.record(row)
        if unit.stage.scope != "shard":  # which the dataset before may still name; `publish` removes those that none names
            self._remove(name for name in (before.output if before else {}) if name not in output)
        self.plan.units[(row.stage, row.part)] = row
        self.plan.digests.update(output)
        self.done += 1
        self.listener.unit(row.stage, row.part, row.rows, seconds)

    def _may_try_again(self, unit: Unit, outcome: Outcome) -> bool:
        """Decide on a failure: try again, try without the record that kills workers, or record it as failed."""
        name = f"{unit.stage.name} {unit.task.part}"
        if outcome.died:
            unit.deaths.append(outcome.position)
            at_this_record = unit.deaths.count(outcome.position)
            if outcome.position >= 0 and at_this_record >= DEATHS_AT_A_RECORD[outcome.died]:
                rule = "timeout" if outcome.died == "timeout" else "parser_crash"
                unit.task = replace(unit.task, skip={**unit.task.skip, outcome.position: rule})
                self.listener.problem(
                    f"{name}: record {outcome.position} ended {at_this_record} workers; it is dropped by {rule}"
                )
                return True
            if len(unit.deaths) < MAX_DEATHS:
                self.listener.problem(f"{name}: its worker died ({outcome.died}); it is done again")
                return True
        unit.errors += 1
        error = outcome.error or f"{len(unit.deaths)} workers died at it"
        if "No space left on device" in error or "Disk quota exceeded" in error:
            raise OSError(errno.ENOSPC, "no space is left on the device", str(self.root))
        is_final = any(name in outcome.details for name in ("InputError", "NotWarcError", "TokenizerError"))
        if unit.errors < MAX_ERRORS and not is_final and not outcome.died:
            self.listener.problem(f"{name}: {error}; it is tried again")
            return True
        self.failed.append((unit.stage.name, unit.task.part, error))
        self.listener.problem(f"{name} failed: {error}")
        row = UnitRow(unit.stage.name, unit.task.part, unit.key, 0, {}, "", outcome.seconds, "failed", error, unit.made_of)
        self.ledger.record(row)
        self.plan.units[(row.stage, row.part)] = row
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


def read_ledger(root: Path) -> Ledger:
    """The ledger of a corpus, opened to read, with views over where the corpus lies now."""
    ledger = Ledger(root, read_only=True)
    ledger.create_views(temporary=True)
    return ledger
