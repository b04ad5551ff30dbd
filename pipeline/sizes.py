"""How much text a set of pages holds, as the ledger counts it behind each stage."""

from typing import NamedTuple

from pipeline.corpus.ledger import Ledger


class Size(NamedTuple):
    """Documents, their characters, and their tokens with one delimiter each."""

    documents: int
    characters: int
    tokens: int


def sizes_by_stage(ledger: Ledger) -> dict[str, Size]:
    """What the ledger counts behind each stage, in the order of the flow; empty before a run came to its end."""
    rows = ledger.rows("SELECT stage, docs_out, chars_out, tokens_out FROM stage_counts ORDER BY ordinal")
    return {stage: Size(*(number or 0 for number in numbers)) for stage, *numbers in rows}
