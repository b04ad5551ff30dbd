"""`run`: build the corpus that a manifest describes, doing only what is not done; also the re-run after a take-down.

This module puts the parts together: lock, record of the run, executor, walk, token dataset, counts and their check.
"""

import datetime
import hashlib
import platform
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

import pipeline
from pipeline.corpus import layout
from pipeline.corpus.ledger import FILE_NAME, Ledger, RunRow
from pipeline.corpus.views import describe_tables
from pipeline.engine.executor import Executor
from pipeline.engine.keys import Fixed, fixed_ingredients, unit_key
from pipeline.engine.local import LocalExecutor
from pipeline.engine.plan import Plan
from pipeline.engine.runner import Listener, Walk
from pipeline.engine.stage import Stage
from pipeline.errors import RunStopped, described
from pipeline.files import exclusive_lock, remove_temporary_files, write_text
from pipeline.flow import FLOW, tables_of
from pipeline.inputs.listing import Listing
from pipeline.inputs.record import InputError, Source
from pipeline.manifest import Manifest
from pipeline.operations import counts
from pipeline.operations.listing import find_inputs, find_inputs_again, write_listing
from pipeline.removals.unit import STAGE as REMOVALS
from pipeline.tokenize import publish

# Inputs named in a message; more would hide the remedy at its end.
MISSING_SHOWN = 5


class RunError(RunStopped):
    """The run cannot start or go on; the message says why and what to do."""


@dataclass(frozen=True)
class Report:
    """What a run did: units done by it, failed units as (stage, part, error), and the tokens' fingerprint (None: no tokens)."""

    done: int
    failed: list[tuple[str, str, str]]
    fingerprint: str | None


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Lock the corpus folder for this process. Raises RunError if it cannot be written, or if another run holds it."""
    try:
        with exclusive_lock(root / ".lock"):
            yield
    except BlockingIOError as error:
        raise RunError(f"another run is at work on {root}; wait for it to end, or name another --output") from error
    except OSError as error:
        if error.filename != str(root / ".lock") and error.filename != str(root):
            raise
        raise RunError(f"output {root} cannot be written: {error.strerror}; name another with --output") from error


def run(
    manifest: Manifest, listener: Listener, executor: Executor | None = None, *, forget: bool = False, refresh: bool = False
) -> Report:
    """Build the corpus that `manifest` describes, doing only what is not done.

    forget: whether pages of inputs that the manifest does not name may be deleted from the corpus. refresh: whether servers are
    asked again for inputs that the ledger knows. Raises RunError, LedgerError, and InputError for a wrong input, or if such pages
    exist and `forget` is False.
    """
    root = Path(manifest.output)
    listing = Listing()
    # A wrong input must not leave a folder behind, so a new corpus is begun only after its inputs are found.
    sources = None if (root / FILE_NAME).exists() else find_inputs(manifest, listener, listing)
    with locked(root), Ledger(root) as ledger:
        if sources is None:
            sources = find_inputs_again(manifest, listener, ledger, refresh=refresh)
        else:
            write_listing(ledger, listing)
        if not forget:
            _refuse_to_forget(ledger, sources)
        return _run(manifest, sources, ledger, FLOW, listener, executor)


def _refuse_to_forget(ledger: Ledger, sources: Sequence[Source]) -> None:
    """Raise InputError if the corpus holds pages of an input that is not among `sources`."""
    query = "SELECT DISTINCT uri FROM inputs JOIN units USING (part) WHERE stage = ? AND status = 'done' ORDER BY uri"
    named = {source.uri for source in sources}
    missing = [uri for (uri,) in ledger.rows(query, FLOW[0].name) if uri not in named]
    if missing:
        shown = ", ".join(missing[:MISSING_SHOWN]) + (
            f" and {len(missing) - MISSING_SHOWN} more" if missing[MISSING_SHOWN:] else ""
        )
        raise InputError(
            f"{ledger.root} holds pages of {len(missing)} input{'s' * (len(missing) > 1)} that this run does not name: {shown}; "
            "name all inputs, with --input for each, to keep their pages, or pass --forget to delete them"
        )


def rerun_removals(manifest: Manifest, ledger: Ledger, listener: Listener) -> Report:
    """Do what is not done of `removals` and the stages after it; earlier stages are used as they are, stale or not.

    Inputs are not opened: a take-down must neither need the crawl nor wait until it is read again. `ledger` must be open for
    writing, under `locked`. Raises RunError, LedgerError.
    """
    position = FLOW.index(REMOVALS)
    query = "SELECT uri, start_byte, end_byte FROM inputs JOIN units USING (part) WHERE stage = ? AND units.status = 'done'"
    before = FLOW[position - 1].name
    sources = [Source(uri, start, end, identity="") for uri, start, end in ledger.rows(query, before)]
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
    fixed = fixed_ingredients(manifest, root, stages)
    remove_temporary_files(root)
    executor = executor or LocalExecutor(manifest.workers)
    run_id = _begin(ledger, manifest, fixed, executor)
    status = "interrupted"
    try:
        plan = Plan(root, manifest, ledger, sources, FLOW, fixed)
        if stages is FLOW:
            ledger.replace_rows("inputs", [(s.uri, s.start, s.end, part) for part, s in sorted(plan.inputs.items())])
        walked = Walk(plan, ledger, listener, executor, stages).walk()
        fingerprint = publish.publish(root, ledger) if walked.reached_the_end else publish.published(root)
        counts.refresh(ledger, run_id, walked.done > 0)
        has_failed = any(unit.status == "failed" for unit in plan.units.values())
        counts.check(ledger, whole=walked.reached_the_end and not has_failed)
        status = "failed" if walked.failed else "done"
    except OSError as error:
        status = "stopped"
        raise RunError(f"the run stopped: {described(error)}; finished work is kept, `run` again to resume") from error
    finally:
        executor.close()
        ledger.end_run(run_id, status)
        remove_temporary_files(root)
    return Report(walked.done, walked.failed, fingerprint)


def _begin(ledger: Ledger, manifest: Manifest, fixed: dict[str, Fixed], executor: Executor) -> str:
    """Record the start of a run, the tables that its stages make, and the resolved manifest with the versions of the code."""
    run_id = f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
    content = manifest.model_dump(mode="json")
    versions = {**_recorded_versions(ledger.root), **{name: of_stage.code for name, of_stage in fixed.items()}}
    code = hashlib.blake2b(repr(sorted(versions.items())).encode(), digest_size=8).hexdigest()
    resolved = {
        **content,
        "versions": {"kotokura": pipeline.__version__, "python": platform.python_version(), **versions},
    }
    write_text(ledger.root / layout.MANIFEST, yaml.safe_dump(resolved, allow_unicode=True, sort_keys=False))
    manifest_hash = unit_key({key: value for key, value in content.items() if key not in ("output", "workers")})
    ledger.begin_run(RunRow(run_id, manifest_hash, code, executor.name, manifest.workers, platform.node()))
    describe_tables(ledger, tables_of(FLOW))
    return run_id


def _recorded_versions(root: Path) -> dict[str, str]:
    """The code versions that `manifest.yaml` records for each stage; they remain valid for stages that this run skips."""
    path = root / layout.MANIFEST
    recorded = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else None
    versions = recorded.get("versions", {}) if isinstance(recorded, dict) else {}
    return {stage.name: versions[stage.name] for stage in FLOW if stage.name in versions}
