"""What is done, what is stale and why, without doing anything."""

from pathlib import Path
from typing import Any

from pipeline.corpus.ledger import Ledger
from pipeline.engine.keys import fixed_ingredients
from pipeline.engine.plan import Plan
from pipeline.flow import FLOW
from pipeline.inputs.sources import resolve_inputs
from pipeline.manifest import Manifest

REASONS_SHOWN = 5


def status_of(manifest: Manifest) -> list[dict[str, Any]]:
    """A mapping a stage: units, how many are done, and for the others a reason each.

    What a stale unit will leave is not known before it is done, so a stage behind a stale one is judged by what lies there
    now, and its `waits_for` names the stale stages before it.
    """
    sources = resolve_inputs(manifest.input, manifest.paths_prefix, manifest.paths_limit)
    root = Path(manifest.output)
    with Ledger(root, read_only=True) as ledger:
        plan = Plan(root, manifest, ledger, sources, FLOW, fixed_ingredients(manifest, root, FLOW))
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
            }
        )
    return states


def status_text(states: list[dict[str, Any]]) -> str:
    """The same for people; of many units that are stale for one reason, the first few."""
    lines = []
    for state in states:
        waiting = f"  (to be looked at again after {', '.join(state['waits_for'])})" if state["waits_for"] else ""
        lines.append(f"{state['stage']:>10}  {state['done']} of {state['units']} done{waiting}")
        stale = list(state["stale"].items())
        lines += [f"{'':>12}{part}: {reason}" for part, reason in stale[:REASONS_SHOWN]]
        if len(stale) > REASONS_SHOWN:
            lines.append(f"{'':>12}and {len(stale) - REASONS_SHOWN} more")
    return "\n".join(lines)
