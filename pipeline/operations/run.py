"""`run`: build the corpus that a manifest describes, doing only what is not done; also the re-run after a take-down.

This module puts the parts together: lock, record of the run, executor, walk, token dataset, counts and their check.
"""

import datetime
import hashlib
import platform
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import yaml

import pipeline
from pipeline.corpus import layout
from pipeline.corpus.ledger import FILE_NAME, Ledger, RunRow
from pipeline.corpus.views import create_views, describe_tables
from pipeline.engine.executor import Executor
from pipeline.engine.keys import Fixed, fixed_ingredients, unit_key
from pipeline.engine.local import LocalExecutor
from pipeline.engine.plan import Plan
from pipeline.engine.runner import Listener, Walk
from pipeline.engine.stage import Stage
from pipeline.engine.takeover import Takeover
from pipeline.errors import RunStopped, UserError, described
from pipeline.files import exclusive_lock, remove_temporary_files, replacing, write_text
from pipeline.flow import FLOW, tables_of
from pipeline.inputs.listing import Listing
from pipeline.inputs.record import Source
from pipeline.manifest import Manifest
from pipeline.operations import counts, guards, outcome
from pipeline.operations.listing import find_inputs, find_inputs_again, write_listing
from pipeline.places import SAMPLE_RECORDS, absolute_names, sample_pattern, user_name
from pipeline.removals.unit import STAGE as REMOVALS
from pipeline.tokenize import publish


class RunError(RunStopped):
    """The run cannot start or go on; the message says why and what to do."""


@dataclass(frozen=True)
class Report:
    """What a run did: units done by it, failed units as (stage, part, error), and the tokens' fingerprint (None: no tokens).

    stopped_before: the stage that was not begun because an input had failed. empty: why the corpus has no document. unreadable:
    how many records could not be read, and the first. Each is None if it is not so.
    """

    done: int
    failed: list[tuple[str, str, str]]
    fingerprint: str | None
    stopped_before: str | None = None
    empty: str | None = None
    unreadable: str | None = None


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
    manifest: Manifest, listener: Listener, executor: Executor | None = None, choices: guards.Choices = guards.NOTHING_CHOSEN
) -> Report:
    """Build the corpus that `manifest` describes, doing only what is not done.

    A manifest without inputs builds the bundled sample. Raises RunError, LedgerError; InputError for a wrong input; and UserError
    for what `choices` does not allow: deleting pages of inputs that the manifest does not name, or replacing the tokenizer.
    """
    guards.refuse_unknown_stages(choices.accept_code, FLOW)
    wanted = manifest if manifest.input else manifest.model_copy(update={"input": (sample_pattern(),)})
    root = Path(wanted.output)
    takeover = _takeover(choices, root)
    listing = Listing()
    # A wrong input must not leave a folder behind, so a new corpus is begun only after its inputs are found.
    sources = None if (root / FILE_NAME).exists() else find_inputs(wanted, listener, listing)
    with locked(root), Ledger(root) as ledger:
        if sources is None:
            sources = find_inputs_again(wanted, listener, ledger, refresh=choices.refresh)
        else:
            write_listing(ledger, listing)
        held = guards.inputs_held(ledger, FLOW[0].name)
        if not manifest.input:
            guards.refuse_the_sample(ledger.root, held, wanted.input[0])
            said = f"no input named: building the bundled sample of {SAMPLE_RECORDS} records; name your crawl with --input"
            listener.note(said)
        if not choices.forget:
            guards.refuse_to_forget(ledger, held, sources)
        if takeover.donor is not None:
            _start_from(takeover.donor, ledger)
        report = _run(wanted, sources, ledger, FLOW, listener, executor, choices, takeover)
    if takeover.taken:
        counted = ", ".join(f"{stage} {number}" for stage, number in takeover.taken.items())
        listener.note(f"units taken from {takeover.donor}: {counted}")
    return report


def _takeover(choices: guards.Choices, root: Path) -> Takeover:
    """What a run may take. Raises NoCorpusError, LedgerError; UserError if the other corpus is the one to build."""
    accepted = frozenset(choices.accept_code)
    if choices.donor is None:
        return Takeover(accepted=accepted)
    donor = Path(choices.donor).resolve()
    if donor == root.resolve():
        raise UserError(f"--from {choices.donor} is the output itself; name another corpus, or another --output")
    with Ledger(donor, read_only=True) as ledger:
        return Takeover(donor, ledger.units(), accepted)


def _start_from(donor: Path, ledger: Ledger) -> None:
    """Give a new corpus the part names of `donor`, so that the keys of its units agree, and the log of what was taken down."""
    if not ledger.rows("SELECT 1 FROM inputs LIMIT 1"):
        with Ledger(donor, read_only=True) as theirs:
            ledger.replace_rows("inputs", theirs.rows("SELECT uri, start_byte, end_byte, part FROM inputs"))
    if (donor / layout.REMOVALS).exists() and not (ledger.root / layout.REMOVALS).exists():
        with replacing(ledger.root / layout.REMOVALS) as temporary:
            shutil.copyfile(donor / layout.REMOVALS, temporary)


def rerun_removals(manifest: Manifest, ledger: Ledger, listener: Listener) -> Report:
    """Do what is not done of `removals` and the stages after it; earlier stages are used as they are, stale or not.

    Inputs are not opened: a take-down must neither need the crawl nor wait until it is read again. `ledger` must be open for
    writing, under `locked`. Raises RunError, LedgerError.
    """
    position = FLOW.index(REMOVALS)
    query = "SELECT uri, start_byte, end_byte FROM inputs JOIN units USING (part) WHERE stage = ? AND units.status = 'done'"
    before = FLOW[position - 1].name
    sources = [Source(uri, start, end, identity="") for uri, start, end in ledger.rows(query, before)]
    return _run(manifest, sources, ledger, FLOW[position:], listener, None, guards.NOTHING_CHOSEN, Takeover())


def _run(
    manifest: Manifest,
    sources: list[Source],
    ledger: Ledger,
    stages: Sequence[Stage],
    listener: Listener,
    executor: Executor | None,
    choices: guards.Choices,
    takeover: Takeover,
) -> Report:
    root = Path(manifest.output)
    fixed = fixed_ingredients(manifest, root, stages)
    anew = frozenset(stage.name for stage in stages if stage.pinned and choices.retrain_tokenizer)
    for stage in stages:
        if stage.pinned and stage.name not in anew:
            guards.refuse_another_tokenizer(ledger.units(), stage, fixed[stage.name])
    remove_temporary_files(root)
    executor = executor or LocalExecutor(manifest.workers, listener.working)
    run_id = _begin(ledger, manifest, fixed, executor)
    ledger.before_publishing = partial(create_views, ledger)
    ledger.publish()
    status = "interrupted"
    try:
        if takeover.donor is not None:
            ledger.note(user_name(), "from", "", corpus=str(takeover.donor))
        plan = Plan(root, manifest, ledger, sources, FLOW, fixed, anew)
        if stages is FLOW:
            ledger.replace_rows("inputs", [(s.uri, s.start, s.end, part) for part, s in sorted(plan.inputs.items())])
        walked = Walk(plan, ledger, listener, executor, stages, takeover, choices.allow_failed).walk()
        fingerprint = publish.publish(root, ledger) if walked.reached_the_end else publish.published(root)
        counts.refresh(ledger, run_id, walked.done > 0)
        has_failed = any(unit.status == "failed" for unit in plan.units.values())
        counts.check(ledger, whole=walked.reached_the_end and not has_failed)
        status = "failed" if walked.failed else "done"
        empty = None if walked.stopped_before else outcome.why_empty(ledger)
        unreadable = outcome.unreadable(ledger)
    except OSError as error:
        status = "stopped"
        raise RunError(f"the run stopped: {described(error)}; finished work is kept, `run` again to resume") from error
    finally:
        executor.close()
        ledger.end_run(run_id, status)
        remove_temporary_files(root)
    return Report(walked.done, walked.failed, fingerprint, walked.stopped_before, empty, unreadable)


def _begin(ledger: Ledger, manifest: Manifest, fixed: dict[str, Fixed], executor: Executor) -> str:
    """Record the start of a run, the tables that its stages make, and the resolved manifest with the versions of the code."""
    run_id = f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
    content = manifest.model_dump(mode="json")
    absolute_names(content)
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
