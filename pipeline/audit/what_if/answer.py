"""What a corpus would be under other thresholds: documents, characters and tokens per stage, from stored columns alone.

An answer is exact if all the data it needs is stored: `run --set …` then gives the same figures. Quality is judged again from
measured numbers, duplicates and hosts from signatures and counts. Two things are not stored: signatures of pages that quality
drops today, and the sizes that cleaning and masking would leave of texts that never reached them. Figures that depend on these
are marked as estimates, with their basis.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.audit.what_if.columns import Pages, WhatIfError, parts_of
from pipeline.audit.what_if.corpus_wide import judge_dedup, judge_hosts, read_places
from pipeline.audit.what_if.quality import judge_parts
from pipeline.corpus.ledger import Ledger, Size, sizes_by_stage
from pipeline.dedup import config as dedup_config
from pipeline.dedup.unit import STAGE as DEDUP
from pipeline.engine.keys import fixed_ingredients
from pipeline.flow import COUNTED, FLOW, JUDGING
from pipeline.hosts import config as hosts_config
from pipeline.hosts.lists import HostLists
from pipeline.hosts.unit import STAGE as HOSTS
from pipeline.manifest import Manifest, changed_settings
from pipeline.quality import config as quality
from pipeline.quality.unit import STAGE as QUALITY
from pipeline.removals import log as removals
from pipeline.removals.log import InForce, Place
from pipeline.removals.unit import STAGE as REMOVALS
from pipeline.rules import Rule

# Settings that only judge stored numbers. All others change what is stored, or how tokens are cut but not how many there are.
JUDGES_AGAIN = ("quality", "dedup.minimum_similarity", "dedup.survivor", "dedup.against", "hosts")
Chosen = npt.NDArray[np.bool_]  # (N,), which of the pages
# The stages that are judged again here: the first ones after extract.
_JUDGED = (QUALITY.name, DEDUP.name, HOSTS.name)
# Nobody reads a longer table; a range of a million values is a typing error.
MOST_VALUES = 100


@dataclass(frozen=True)
class StageFigures:
    """What a stage lets through today (`now`) and under the change (`then`); `estimated` if `then` needs data not stored."""

    stage: str
    now: Size
    then: Size
    estimated: bool


@dataclass(frozen=True)
class RuleFigures:
    """What a rule drops first, today and under the change, with its bounds as text (empty if it has none)."""

    stage: str
    rule: str
    bounds_now: str
    bounds_then: str
    now: Size
    then: Size


@dataclass(frozen=True)
class Fates:
    """The fate of each page of `Pages` under an alternative.

    passed: int8 (N,), how many judging stages keep it; a page whose text has not reached cleaning yet counts as kept by
    all later stages. rule: int16 (N,), index of the rule that drops it, among the rules of its stage. unsigned: bool (N,), the
    page passes quality but has no signature, so dedup cannot judge it.
    """

    passed: npt.NDArray[np.int8]
    rule: npt.NDArray[np.int16]
    unsigned: Chosen


@dataclass(frozen=True)
class Outcome:
    """The figures under one alternative. rules: of the stages judged again and exact. basis: what the estimates rest on."""

    stages: tuple[StageFigures, ...]
    rules: tuple[RuleFigures, ...]
    basis: tuple[str, ...]
    fates: Fates


@dataclass(frozen=True)
class Present:
    """The corpus as built: its manifest, its judging stages, and the ledger's counts per stage and rule."""

    root: Path
    manifest: Manifest
    stages: tuple[str, ...]
    counts: Mapping[str, Size]
    drops: Mapping[tuple[str, str], Size]


def sweep_changes(sweep: str) -> list[str]:
    """Expand `KEY=START:STOP:STEP` to one `KEY=VALUE` per value, both ends included. Raises WhatIfError for any other text."""
    key, _, range_text = sweep.partition("=")
    try:
        start, stop, step = (Decimal(number) for number in range_text.split(":"))
        count = int((stop - start) / step) + 1
    except (ValueError, InvalidOperation, ArithmeticError) as error:
        raise WhatIfError(f"--sweep {sweep!r}: write KEY=START:STOP:STEP, such as quality.num_letters.min=200:600:100") from error
    if step <= 0 or stop < start:
        raise WhatIfError(f"--sweep {sweep!r}: give the smaller end first and a step above 0")
    if count > MOST_VALUES:
        raise WhatIfError(f"--sweep {sweep!r} has {count} values; give a step that leaves at most {MOST_VALUES}")
    return [f"{key}={start + step * number:f}" for number in range(count)]


def read_present(ledger: Ledger, manifest: Manifest) -> Present:
    """The corpus of an open ledger, built by `manifest`. Raises WhatIfError if its last run did not finish."""
    last = ledger.rows("SELECT status FROM runs ORDER BY started DESC LIMIT 1")
    counts = sizes_by_stage(ledger)
    if not counts or last[0][0] not in ("done", "failed"):
        state = last[0][0] if last else "not begun"
        raise WhatIfError(f"the last run into {ledger.root} is {state!r} and not done; `run` its manifest to the end first")
    stages = JUDGING[1:]
    if stages[: len(_JUDGED)] != _JUDGED:
        raise WhatIfError(
            f"what-if judges {', '.join(_JUDGED)} again and no stage between them, but the flow is {', '.join(stages)}; "
            "compare two runs with `diff`"
        )
    query = "SELECT stage, rule, sum(docs)::BIGINT, sum(chars)::BIGINT, sum(tokens)::BIGINT FROM rule_counts GROUP BY stage, rule"
    drops = {(stage, rule): Size(*(number or 0 for number in numbers)) for stage, rule, *numbers in ledger.rows(query)}
    return Present(ledger.root, manifest, stages, counts, drops)


def remade_stages(ledger: Ledger, manifest: Manifest) -> list[str]:
    """Stages that a run of the corpus's own `manifest` would redo, because their code, libraries, lists or models changed."""
    rows = ledger.rows("SELECT DISTINCT stage, ingredients->>'code', ingredients->'settings' FROM units WHERE status = 'done'")
    now = {
        stage: (of_stage.code, of_stage.settings) for stage, of_stage in fixed_ingredients(manifest, ledger.root, FLOW).items()
    }
    return sorted({stage for stage, code, settings in rows if (code, json.loads(settings)) != now.get(stage)})


def what_if(present: Present, wanted: Sequence[Manifest]) -> tuple[Pages, list[Outcome]]:
    """The figures of the corpus under each of the `wanted` manifests, and the pages that their fates refer to.

    Raises WhatIfError if a manifest changes more than JUDGES_AGAIN or the corpus is incomplete; HostListError, StaleCorpusError.
    """
    for manifest in wanted:
        for key in changed_settings(present.manifest.model_dump(mode="json"), manifest.model_dump(mode="json")):
            if key.startswith("quality.fields") or not any(key == name or key.startswith(f"{name}.") for name in JUDGES_AGAIN):
                raise WhatIfError(
                    f"{key} changes what is stored, or nothing that is counted, so what-if cannot judge it; "
                    f"`run {present.root / 'manifest.yaml'} --output ANOTHER --set {key}=…` does the work"
                )
    rules = [quality.all_rules_of(manifest.quality) for manifest in wanted]
    parts = parts_of(present.root, present.stages)
    pages, dropped = judge_parts(present.root, parts, present.stages, quality.all_rules_of(present.manifest.quality), rules)
    for number, stage in enumerate(present.stages):
        if np.count_nonzero(pages.passed > number) != present.counts[stage].documents:
            raise WhatIfError(
                f"the verdicts of {stage} are not those that the ledger of {present.root} counted; `run` its manifest again first"
            )
    lists = [HostLists.load(manifest.hosts) for manifest in wanted]
    requests = removals.in_force(present.root)
    places = read_places(present.root, pages, with_url=any(each.addresses for each in lists) or bool(requests))
    alternatives = zip(wanted, lists, rules, dropped, pages.first, strict=True)
    return pages, [_Alternative(present, pages, places, requests, *alternative).outcome() for alternative in alternatives]


class _Alternative:
    """Judges the pages by one manifest, stage by stage."""

    def __init__(
        self,
        present: Present,
        pages: Pages,
        places: pa.Table,
        requests: InForce,
        manifest: Manifest,
        lists: HostLists,
        rules: Sequence[Rule],
        dropped: npt.NDArray[np.int64],
        first: npt.NDArray[np.int16],
    ) -> None:
        self.present = present
        self.pages = pages
        self.places = places
        self.requests = requests
        self.manifest = manifest
        self.lists = lists
        self.rule = first.copy()
        self.signed = pages.passed > 0
        self.passes = first == len(rules)
        self.unsigned = self.passes & ~self.signed
        self.stages = [self._figures(JUDGING[0], _array(present.counts[JUDGING[0]]), False)]
        self.stages.append(self._figures(QUALITY.name, dropped[-1], False))
        self.rules = self._rules(QUALITY.name, quality.all_rules_of(present.manifest.quality), rules, dropped[:-1])
        self.basis: list[str] = []

    def outcome(self) -> Outcome:
        """The figures of all stages."""
        share = self._dedup()
        by_hosts = self._hosts(share)
        self._texts(by_hosts, share)
        self.stages.append(self._figures(COUNTED[-1], _array(self.stages[-1].then), self.stages[-1].estimated))
        came = by_hosts & (self.pages.passed >= len(_JUDGED))
        passed = np.where(came, self.pages.passed, len(self.present.stages))
        passed[self.taken_down] = self.present.stages.index(REMOVALS.name)
        for number, kept in reversed(list(enumerate((self.passes, self.by_dedup, by_hosts)))):
            passed[~kept] = number
        return Outcome(
            tuple(self.stages), tuple(self.rules), tuple(self.basis), Fates(passed.astype(np.int8), self.rule, self.unsigned)
        )

    def _dedup(self) -> npt.NDArray[np.float64]:
        """Judge duplicates; returns the shares of documents, characters and tokens that dedup keeps, float64 (3,)."""
        before, after = self.present.manifest.dedup, self.manifest.dedup
        known = self.passes & self.signed
        kept = self.pages.passed > 1
        if after != before or not np.array_equal(known, self.signed):
            numbers = judge_dedup(self.present.root, self.pages, self.places, known, after)
            kept = self._judged(DEDUP.name, known, numbers, dedup_config.rules_of(before), dedup_config.rules_of(after))
        self.by_dedup = kept | self.unsigned
        share = _ratio(_size(self.pages, kept), _size(self.pages, known))
        new = _size(self.pages, self.unsigned)
        self.stages.append(self._figures(DEDUP.name, _size(self.pages, kept) + share * new, bool(new[0])))
        if new[0]:
            self.basis.append(
                f"dedup: {new[0]:,} newly kept pages have no signature; taken is the share that dedup keeps of the "
                f"{np.count_nonzero(known):,} pages that have one: {share[0]:.2%} of documents, {share[1]:.2%} of characters, "
                f"{share[2]:.2%} of tokens"
            )
        return share

    def _hosts(self, share: npt.NDArray[np.float64]) -> Chosen:
        """Judge hosts; returns which pages they keep, bool (N,)."""
        before, after = self.present.manifest.hosts, self.manifest.hosts
        kept = self.pages.passed > 2
        new = bool(self.unsigned.any())
        if after != before or not np.array_equal(self.by_dedup, self.pages.passed > 1):
            numbers = judge_hosts(self.pages, self.places, self.by_dedup, self.lists, after)
            kept = self._judged(HOSTS.name, self.by_dedup, numbers, hosts_config.rules_of(before), hosts_config.rules_of(after))
        sizes = _size(self.pages, kept & self.signed) + share * _size(self.pages, kept & self.unsigned)
        self.stages.append(self._figures(HOSTS.name, sizes, new))
        if new:
            self.basis.append("hosts: judged with all newly kept pages, which count in the sums with the share above")
        return kept

    def _texts(self, reached: Chosen, share: npt.NDArray[np.float64]) -> None:
        """Stages that edit texts: stored sizes, or, for texts that never reached them, the share that the others keep."""
        came = reached & (self.pages.passed >= len(_JUDGED))
        others = reached & ~came
        rest = self._weighted(others, share)
        self.taken_down = self._named(others)
        estimated = bool(others.any())
        sizes = _sizes(self.pages)
        previous = HOSTS.name
        for number, stage in enumerate(self.present.stages[len(_JUDGED) :], start=len(_JUDGED)):
            came &= self.pages.passed > number
            sizes = self.pages.sizes.get(stage, sizes)
            if stage == REMOVALS.name:
                rest = rest * _ratio(self._weighted(others & ~self.taken_down, share), self._weighted(others, share))
            else:
                rest = rest * _ratio(_array(self.present.counts[stage]), _array(self.present.counts[previous]))
            known = np.array([np.count_nonzero(came), *sizes[came].sum(axis=0)])
            self.stages.append(self._figures(stage, known + rest, estimated))
            previous = stage
        if estimated:
            kept = _ratio(_array(self.present.counts[previous]), _array(self.present.counts[HOSTS.name]))
            self.basis.append(
                f"{', '.join(self.present.stages[len(_JUDGED) :])}: {np.count_nonzero(others):,} texts did not come so far "
                f"({np.count_nonzero(self.taken_down):,} of them are taken down, and left out); "
                f"taken is the share that these stages keep of the others: {kept[0]:.2%} of documents, {kept[1]:.2%} of "
                f"characters, {kept[2]:.2%} of tokens"
            )

    def _weighted(self, chosen: Chosen, share: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Sizes of the `chosen` pages, float64 (3,); those without a signature are multiplied by the `share` that dedup keeps."""
        return _size(self.pages, chosen & self.signed) + share * _size(self.pages, chosen & self.unsigned)

    def _named(self, chosen: Chosen) -> Chosen:
        """Which of the `chosen` pages a removal request names, bool (N,)."""
        named = np.zeros(len(chosen), dtype=bool)
        if self.requests:
            places = self.places.filter(pa.array(chosen))
            columns = [self.pages.doc_id.filter(pa.array(chosen)), places["url"], places["host"], places["source_id"]]
            named[chosen] = self.requests.match(map(Place, *(column.to_pylist() for column in columns)))
        return named

    def _judged(
        self, stage: str, judged: Chosen, numbers: npt.NDArray[np.int8], before: tuple[Rule, ...], after: tuple[Rule, ...]
    ) -> Chosen:
        """Store the rule `numbers` of the `judged` pages; returns which pages no rule drops, bool (N,)."""
        self.rule[judged] = numbers
        kept = judged.copy()
        kept[judged] = numbers == len(after)
        if not self.unsigned.any():
            drops = np.array([_size(self.pages, judged & (self.rule == number)) for number in range(len(after))])
            self.rules += self._rules(stage, before, after, drops)
        return kept

    def _figures(self, stage: str, then: npt.NDArray[Any], estimated: bool) -> StageFigures:
        return StageFigures(stage, self.present.counts[stage], Size(*(round(number) for number in then.tolist())), estimated)

    def _rules(
        self, stage: str, before: Sequence[Rule], after: Sequence[Rule], drops: npt.NDArray[np.int64]
    ) -> list[RuleFigures]:
        """Figures of all rules of a stage, removed rules last; `drops` is int64 (len(after), 3)."""
        bounds_now = {rule.name: bounds_text(rule) for rule in before}
        bounds_then = {rule.name: bounds_text(rule) for rule in after}
        then = {rule.name: Size(*sums) for rule, sums in zip(after, drops.tolist(), strict=True)}
        nothing = Size(0, 0, 0)
        return [
            RuleFigures(
                *(stage, name, bounds_now.get(name, ""), bounds_then.get(name, "")),
                now=self.present.drops.get((stage, name), nothing),
                then=then.get(name, nothing),
            )
            for name in dict.fromkeys([*bounds_then, *bounds_now])
        ]


def bounds_text(rule: Rule) -> str:
    """The values that a rule keeps, such as `>= 20, <= 90`."""
    signs = {"minimum": ">=", "above": ">", "maximum": "<=", "below": "<"}
    return ", ".join(f"{signs[kind]} {threshold:g}" for kind, threshold in rule.bounds())


def _array(size: Size) -> npt.NDArray[np.int64]:
    return np.array(size, dtype=np.int64)


def _sizes(pages: Pages) -> npt.NDArray[np.int64]:
    """Characters and tokens as extracted: int64 (N, 2)."""
    return np.stack([pages.n_chars, pages.n_tokens], axis=1)


def _size(pages: Pages, chosen: Chosen) -> npt.NDArray[np.int64]:
    """Documents, characters and tokens of the `chosen` pages as extracted: int64 (3,)."""
    return np.array([np.count_nonzero(chosen), pages.n_chars[chosen].sum(), pages.n_tokens[chosen].sum()])


def _ratio(part: npt.NDArray[Any], whole: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """`part / whole` element by element, float64; 1 where `whole` is 0."""
    ratio: npt.NDArray[np.float64] = np.divide(part, whole, out=np.ones(len(whole)), where=whole > 0)
    return ratio
