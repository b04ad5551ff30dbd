"""What a run refuses unless the user asked for it: to forget pages, or to replace a tokenizer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import nearest
from pipeline.corpus.ledger import Ledger, UnitRow
from pipeline.engine.keys import Fixed
from pipeline.engine.plan import ALL, differences
from pipeline.engine.stage import Stage
from pipeline.errors import UserError
from pipeline.inputs.record import InputError, Source

# Inputs named in a message; more would hide the remedy at its end.
_SHOWN = 5


@dataclass(frozen=True)
class Choices:
    """What the user chose for one run; it is no part of the manifest, because it describes no corpus.

    forget: delete pages of inputs that the run does not name. refresh: ask servers again for inputs that the ledger knows.
    allow_failed: go on without inputs that failed. retrain_tokenizer: make a new tokenizer if its training text or settings
    changed. donor: the folder of a corpus to take results from. accept_code: stages whose results by earlier code are kept.
    """

    forget: bool = False
    refresh: bool = False
    allow_failed: bool = False
    retrain_tokenizer: bool = False
    donor: str | None = None
    accept_code: tuple[str, ...] = ()


NOTHING_CHOSEN = Choices()


def inputs_held(ledger: Ledger, first: str) -> list[str]:
    """The inputs whose pages the corpus holds, according to the units of the stage `first`."""
    query = "SELECT DISTINCT uri FROM inputs JOIN units USING (part) WHERE stage = ? AND status = 'done' ORDER BY uri"
    return [uri for (uri,) in ledger.rows(query, first)]


def refuse_to_forget(ledger: Ledger, held: Sequence[str], sources: Sequence[Source]) -> None:
    """Raise InputError if one of the inputs `held` is not among `sources`."""
    named = {source.uri for source in sources}
    missing = [uri for uri in held if uri not in named]
    if missing:
        raise InputError(
            f"{ledger.root} holds pages of {len(missing)} input{'s' * (len(missing) > 1)} that this run does not name: "
            f"{_listed(missing)}; name all inputs, with --input for each, to keep their pages, or pass --forget to delete them"
        )


def refuse_the_sample(root: Path, held: Sequence[str], sample: str) -> None:
    """Raise InputError if a run that names no input would build the sample over pages of a crawl."""
    folder = str(Path(sample).parent.resolve())
    others = [uri for uri in held if not uri.startswith(folder)]
    if others:
        raise InputError(
            f"no input named, and {root} holds pages of {len(others)} input{'s' * (len(others) > 1)}: {_listed(others)}; name "
            f"the inputs with --input, or run {root}, which names them; the bundled sample needs an --output of its own"
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if names[_SHOWN:] else "")


def refuse_another_tokenizer(units: Mapping[tuple[str, str], UnitRow], stage: Stage, fixed: Fixed) -> None:
    """Raise UserError if a finished pinned stage has other settings now.

    A model under another name but with the same digest is no other tokenizer.
    """
    row = units.get((stage.name, ALL))
    if row is None or row.status != "done":
        return
    before, now = row.ingredients["settings"], fixed.settings
    changed = differences("", before, now)
    same_model = bool(before[1]) and before[1] == now[1]
    if changed and not same_model:
        texts = sum(unit.rows for unit in units.values() if unit.stage == "count")
        raise UserError(
            f"the corpus has a {stage.name}, and this run asks for another: {'; '.join(changed)}. With another one, all "
            f"{texts:,} texts are counted and encoded again, and models trained on the old tokens cannot read the new ones. Pass "
            f"--retrain-{stage.name} to do so, or go back to the settings of before"
        )


def refuse_unknown_stages(names: Sequence[str], flow: Sequence[Stage]) -> None:
    """Raise UserError for the name of a stage that does not exist."""
    known = [stage.name for stage in flow]
    for name in names:
        if name not in known:
            close = nearest(name, known)
            hint = f"did you mean {close!r}?" if close else f"stages are {', '.join(known)}"
            raise UserError(f"--accept-code {name}: there is no such stage; {hint}")
