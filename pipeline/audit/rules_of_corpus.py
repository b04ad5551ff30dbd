"""The rules that a corpus was judged by, from its manifest, and their bounds as text."""

from pathlib import Path

from pipeline.clean import config as clean
from pipeline.corpus.layout import MANIFEST
from pipeline.dedup import config as dedup
from pipeline.extract.config import RULES as EXTRACT_RULES
from pipeline.hosts import config as hosts
from pipeline.manifest import Manifest, read_manifest
from pipeline.pii import config as pii
from pipeline.quality import config as quality
from pipeline.removals import unit as removals
from pipeline.rules import Rule

# ASCII, so that every terminal shows them.
SIGNS = {"minimum": ">=", "above": ">", "maximum": "<=", "below": "<"}


def read_rules(root: Path) -> dict[tuple[str, str], Rule]:
    """The rules of the corpus in `root` by stage and name. Raises ManifestError."""
    return rules_of(read_manifest(str(root / MANIFEST)))


def rules_of(manifest: Manifest) -> dict[tuple[str, str], Rule]:
    """The rules of every judging stage by stage and name."""
    by_stage = {
        "extract": EXTRACT_RULES,
        "quality": quality.all_rules_of(manifest.quality),
        "dedup": dedup.rules_of(manifest.dedup),
        "hosts": hosts.rules_of(manifest.hosts),
        "clean": clean.rules_of(manifest.clean),
        "pii": pii.rules_of(manifest.pii),
        "removals": removals.rules_of(manifest.dedup),
    }
    return {(stage, rule.name): rule for stage, rules in by_stage.items() for rule in rules}


def bounds_text(rule: Rule | None) -> str:
    """The values that a rule keeps, such as `>= 20, <= 90`; empty for no rule and for one without bounds."""
    return ", ".join(f"{SIGNS[kind]} {threshold:g}" for kind, threshold in rule.bounds()) if rule else ""


def bound_text(rule: Rule | None, threshold: float | None) -> str:
    """The bound of a rule with this threshold, such as `>= 20`; the number alone if the rule has no such bound."""
    if threshold is None:
        return ""
    kinds = [kind for kind, bound in rule.bounds() if bound == threshold] if rule else []
    return f"{SIGNS[kinds[0]]} {threshold:g}" if kinds else f"{threshold:g}"
