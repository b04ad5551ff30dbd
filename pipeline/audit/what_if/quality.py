"""Judges quality again under changed bounds: unchanged rules from the stored verdicts, changed rules from their columns.

A verdict lists every rule that a document broke, so only the columns of rules whose bounds changed are read. They are judged by
the pipeline's own code.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.audit.what_if.columns import Pages, Part, WhatIfError, read_part
from pipeline.rules import Rule


def moved_rules(present: Sequence[Rule], wanted: Sequence[Sequence[Rule]]) -> dict[str, str]:
    """The rules whose bounds differ from the present in at least one alternative, as rule -> measured column."""
    moved: dict[str, str] = {}
    before = {rule.name: rule for rule in present}
    for rules in wanted:
        after = {rule.name: rule for rule in rules}
        for name, rule in {**before, **after}.items():
            if name not in before or name not in after or before[name].bounds() != after[name].bounds():
                moved[name] = rule.measured
    return moved


def judge_parts(
    root: Path, parts: Sequence[str], stages: Sequence[str], present: Sequence[Rule], wanted: Sequence[Sequence[Rule]]
) -> tuple[Pages, list[npt.NDArray[np.int64]]]:
    """Judge all documents by each of the `wanted` lists of rules; returns the pages that are kept, and what each rule drops.

    stages: the judging stages of the corpus, quality first. present: the rules that made its verdicts. The drops are, per
    alternative, int64 (rules + 1, 3): documents, characters and tokens that each rule is the first to drop, and in the last row
    those that no rule drops. Raises WhatIfError, StaleCorpusError.
    """
    moved = moved_rules(present, wanted)
    columns = sorted(set(moved.values()))
    dropped = [np.zeros((len(rules) + 1, 3), dtype=np.int64) for rules in wanted]
    found = []
    for name in parts:
        part = read_part(root, name, stages, columns)
        first = [first_failures(part, present, rules, moved) for rules in wanted]
        for sums, each in zip(dropped, first, strict=True):
            weights = (None, part.n_chars, part.n_tokens)  # floats, whose sums below 2^53 are exact
            sums += np.stack([np.bincount(each, weight, minlength=len(sums)) for weight in weights], axis=1).astype(np.int64)
        stays = np.logical_or.reduce([part.passed > 0, *(each == len(rules) for each, rules in zip(first, wanted, strict=True))])
        found.append(Pages.of(part, np.flatnonzero(stays), first))
    return Pages.joined(found), dropped


def first_failures(part: Part, present: Sequence[Rule], wanted: Sequence[Rule], moved: Collection[str]) -> npt.NDArray[np.int16]:
    """The index of the first of the `wanted` rules that each document breaks, int16 (D,); len(wanted) if it breaks none.

    Raises WhatIfError if a verdict names a rule that is not among the `present` ones.
    """
    first = np.full(len(part.failed), len(wanted), dtype=np.int16)
    names = part.failed.flatten().dictionary_encode()
    broken = names.dictionary.to_pylist()
    if unknown := sorted(set(broken) - {rule.name for rule in present}):
        raise WhatIfError(
            f"pages were dropped by {unknown[0]!r}, which is no rule of quality now; `run` the corpus's manifest again first"
        )
    unmoved = {rule.name: number for number, rule in enumerate(wanted) if rule.name not in moved}
    number_of = np.array([unmoved.get(name, len(wanted)) for name in broken], dtype=np.int16)
    lengths = part.failed.value_lengths().to_numpy()
    has_any = lengths > 0
    if has_any.any():
        begin = (np.cumsum(lengths) - lengths)[has_any]
        first[has_any] = np.minimum.reduceat(number_of[names.indices.to_numpy()], begin)
    for number, rule in enumerate(wanted):
        if rule.name in moved:
            failed, _ = rule.failures(part.measured[rule.measured])
            first[failed] = np.minimum(first[failed], number)
    return first
