"""The settings of `quality`: a profile of rules, and the bounds that the manifest changes, adds or switches off.

A document that breaks a rule is dropped. The rules judge the numbers of `features/`; no text is read.
"""

from dataclasses import replace
from typing import Any, Literal

from pydantic import ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from pipeline.config import Config, nearest
from pipeline.measure.table import MEASURES
from pipeline.quality.fields import FieldRules, field_rules_of
from pipeline.quality.profiles import PROFILES
from pipeline.rules import Rule

_LOWER, _UPPER = {"min", "above"}, {"max", "below"}


def _remedy(name: str, known: list[str]) -> str:
    """What to write instead of the unknown `name`."""
    close = nearest(name, known)
    return f"did you mean {close!r}?" if close else f"known are {', '.join(known)}"


class Bounds(Config):
    """Bounds on one measured number. A side that is named replaces that of the profile; null means no bound."""

    min: float | None = Field(None, allow_inf_nan=False, description="drops what is less")
    max: float | None = Field(None, allow_inf_nan=False, description="drops what is more")
    above: float | None = Field(None, allow_inf_nan=False, description="drops what is less or equal")
    below: float | None = Field(None, allow_inf_nan=False, description="drops what is more or equal")

    @model_validator(mode="before")
    @classmethod
    def _know_the_keys(cls, bounds: Any) -> Any:
        known = list(cls.model_fields)
        if not isinstance(bounds, dict):
            raise ValueError(f"bounds are written as {{min: 0.1}}, with the keys {', '.join(known)}; null is no rule")
        for name in bounds:
            if name not in known:
                raise ValueError(f"unknown bound {name!r}; {_remedy(str(name), known)}")
        for side in (_LOWER, _UPPER):
            if side <= bounds.keys():
                raise ValueError(f"{' and '.join(sorted(side))} bound the same side; keep one of them")
        if not bounds:
            raise ValueError(f"no bound is named; give one of {', '.join(known)}, or null for no rule")
        return bounds

    @model_serializer(mode="wrap")
    def _only_the_named(self, serialize: SerializerFunctionWrapHandler) -> dict[str, float | None]:
        return {name: bound for name, bound in serialize(self).items() if name in self.model_fields_set}


class QualityConfig(Config):
    """The manifest's section `quality`: a profile, and the bounds that differ from it, by the name of the measure.

    `num_letters: {min: 300}` replaces a bound and keeps that of the other side, `symbol_fraction: {max: 0.3}` adds a rule
    after those of the profile, and `ellipsis_fraction: null` switches one off.
    """

    # The names of measures are keys here: pydantic's extra fields, each checked as Bounds.
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Bounds | None]

    profile: Literal["swallow_code", "swallow_paper"] = Field("swallow_code", description="the rules to start from")
    fields: FieldRules = Field(FieldRules(), description="rules on fields that came with the records, by their path")

    @model_validator(mode="before")
    @classmethod
    def _know_the_measures(cls, section: Any) -> Any:
        if not isinstance(section, dict):
            return section
        measures = [measure.name for measure in MEASURES]
        for name in section:
            if name not in cls.model_fields and name not in measures:
                raise ValueError(f"unknown measure {name!r}; {_remedy(str(name), [*cls.model_fields, *measures])}")
        # In the order of the table, so that sections that mean the same have the same key.
        return {name: section[name] for name in (*cls.model_fields, *measures) if name in section}


def all_rules_of(config: QualityConfig) -> tuple[Rule, ...]:
    """The rules of quality, in the order in which they judge."""
    return (*rules_of(config), *field_rules_of(config.fields))


def rules_of(config: QualityConfig) -> tuple[Rule, ...]:
    """The rules on measured numbers: those of the profile with the manifest's bounds in place of its own, then the added ones."""
    overrides = config.__pydantic_extra__
    profile = PROFILES[config.profile]
    added = [Rule(name) for name in overrides if name not in {rule.name for rule in profile}]
    rules = (_with_bounds(rule, overrides) for rule in (*profile, *added))
    return tuple(rule for rule in rules if rule.bounds())


def _with_bounds(rule: Rule, overrides: dict[str, Bounds | None]) -> Rule:
    """`rule` as the manifest wants it; without bounds if it is switched off."""
    if rule.name not in overrides:
        return rule
    bounds = overrides[rule.name]
    if bounds is None:
        return Rule(rule.name)
    named = bounds.model_fields_set
    changed = replace(rule, source="manifest")
    if named & _LOWER:
        changed = replace(changed, minimum=bounds.min, above=bounds.above)
    if named & _UPPER:
        changed = replace(changed, maximum=bounds.max, below=bounds.below)
    return changed
