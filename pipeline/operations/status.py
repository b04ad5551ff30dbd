"""Which units are done, which are stale and why; nothing is run."""

from pathlib import Path
from typing import Any

from pipeline.corpus import layout
from pipeline.corpus.ledger import Ledger
from pipeline.engine.keys import fixed_ingredients
from pipeline.engine.plan import Plan
from pipeline.flow import FLOW
from pipeline.manifest import Manifest, read_manifest
from pipeline.operations.listing import known_inputs

REASONS_SHOWN = 5


def status_of(manifest: Manifest) -> list[dict[str, Any]]:
    """One mapping per stage: number of units, how many are done, and the reason for each that is not (`stale`: part -> reason).

    The output of a stale unit is unknown until it is done. So a stage downstream of a stale one is compared with the files that
    are there today, and its `waits_for` names the stale stages before it. Raises InputError, LedgerError, NoCorpusError.
    """
    root = Path(manifest.output)
    if not manifest.input:  # a bundled manifest names none: those of the corpus
        manifest = manifest.model_copy(update={"input": read_manifest(str(root / layout.MANIFEST)).input})
    with Ledger(root, read_only=True) as ledger:
        sources = known_inputs(manifest, ledger)
        plan = Plan(root, manifest, ledger, sources, FLOW, fixed_ingredients(manifest, root, FLOW))
        notes = _notes(ledger)
    states: list[dict[str, Any]] = []
    for stage in FLOW:
        units = plan.of(stage)
        stale = [unit for unit in units if not plan.is_done(unit)]
        waits_for = [state["stage"] for state in states if state["stale"]]
        states.append(
            {
                "stage": stage.name,
                "units": len(units),
                "done": len(units) - len(stale),
                "stale": {unit.task.part: plan.why(unit) for unit in stale},
                "waits_for": waits_for,
                "notes": notes.get(stage.name, []),
            }
        )
    return states


def _notes(ledger: Ledger) -> dict[str, list[str]]:
    """What the ledger notes about stages: what a pinned one was made of last, and the code whose results were accepted."""
    found: dict[str, list[str]] = {}
    for run, _, _, stage, detail in ledger.notes("pinned"):
        found[stage] = [f"pinned: made of {detail['inputs']} inputs in run {run}"]
    for run, day, who, stage, detail in ledger.notes("accepted code"):
        said = f"results of code {detail['earlier']} are kept as those of {detail['now']}, by {who} on {day} in run {run}"
        found.setdefault(stage, []).append(said)
    return found


def status_text(states: list[dict[str, Any]]) -> str:
    """The same as text; per stage, at most REASONS_SHOWN stale units are named."""
    lines = []
    for state in states:
        waiting = f"  (to be looked at again after {', '.join(state['waits_for'])})" if state["waits_for"] else ""
        lines.append(f"{state['stage']:>10}  {state['done']} of {state['units']} done{waiting}")
        lines += [f"{'':>12}{note}" for note in state["notes"]]
        stale = list(state["stale"].items())
        lines += [f"{'':>12}{part}: {reason}" for part, reason in stale[:REASONS_SHOWN]]
        if len(stale) > REASONS_SHOWN:
            lines.append(f"{'':>12}and {len(stale) - REASONS_SHOWN} more")
    return "\n".join(lines)
