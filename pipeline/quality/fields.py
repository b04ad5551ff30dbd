"""Rules on fields that came with the records: `quality.fields` in the manifest, and the numbers that these rules judge.

A rule is named `fields.PATH`, after the path of its field in `documents.metadata`. It judges after the rules of the profile.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from pipeline.config import Config
from pipeline.inputs.fields import MISSING, value_at
from pipeline.rules import Rule


def _paths(fields: dict[str, Any]) -> dict[str, Any]:
    """`fields` by dotted path; `--set quality.fields.metadata.score.min=1` nests the names, as YAML may."""
    found: dict[str, Any] = {}
    for name, bounds in fields.items():
        nests = isinstance(bounds, dict) and bounds and all(isinstance(each, dict) for each in bounds.values())
        found |= {f"{name}.{path}": each for path, each in _paths(bounds).items()} if nests else {name: bounds}
    return found


def _one_or_many(value: object) -> object:
    return value if isinstance(value, list | tuple | None) else [value]


class FieldBounds(Config):
    """What a field that came with the record must be: a number within bounds, or one of some values."""

    min: float | None = Field(None, allow_inf_nan=False, description="drops what is less")
    max: float | None = Field(None, allow_inf_nan=False, description="drops what is more")
    any_of: Annotated[tuple[str | bool | float, ...] | None, BeforeValidator(_one_or_many)] = Field(
        None, description="drops what is none of these; of a list, one element must be"
    )
    missing: Literal["drop", "keep"] = Field(
        "drop", description="what becomes of a record without the field, such as a page of a crawl"
    )

    @model_validator(mode="before")
    @classmethod
    def _know_the_keys(cls, bounds: Any) -> Any:
        if not isinstance(bounds, dict | cls) or (isinstance(bounds, dict) and not bounds.keys() <= cls.model_fields.keys()):
            raise ValueError(f"write {{min: 0.5}} or {{any_of: [CC0-1.0]}}; known keys are {', '.join(cls.model_fields)}")
        return bounds

    @property
    def keeps_missing(self) -> bool:
        """Whether a record without the field is kept."""
        return self.missing == "keep"

    @model_validator(mode="after")
    def _bounds_something(self) -> "FieldBounds":
        if (self.any_of is None) == (self.min is None and self.max is None):
            raise ValueError("give min and max, or any_of: a list of values")
        return self


class FieldRules(Config):
    """Rules on fields that came with the records, by the path in `documents.metadata`: `licence`, `metadata.score`."""

    # The paths are keys here: pydantic's extra fields.
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, FieldBounds]

    @model_validator(mode="before")
    @classmethod
    def _dotted(cls, section: Any) -> Any:
        """The rules in the order of their paths, so that sections that mean the same have the same key."""
        return dict(sorted(_paths(section).items())) if isinstance(section, dict) else section

    @property
    def by_path(self) -> dict[str, FieldBounds]:
        """The rules by the path of their field."""
        return self.__pydantic_extra__


def field_rules_of(fields: FieldRules) -> tuple[Rule, ...]:
    """The rules on fields of `metadata`, which judge after those of the profile: `fields.PATH`.

    A rule of allowed values judges 1 for a value that is allowed, and 0 for another.
    """
    return tuple(
        Rule(f"fields.{path}", minimum=1 if bounds.any_of is not None else bounds.min, maximum=bounds.max, source="manifest")
        for path, bounds in fields.by_path.items()
    )


def field_numbers(metadata: Sequence[str], fields: Mapping[str, FieldBounds]) -> dict[str, npt.NDArray[np.float64]]:
    """Per rule `fields.PATH` the number of each document, float64 (N,).

    metadata: N JSON objects. The number is the value of the field, or for a rule of allowed values 1 for one of these and 0 for
    any other. It is NaN, which breaks every bound, for a record without the field or with a value that is no number; if the
    manifest keeps records without the field, these have a number that the rule keeps.
    """
    rows = [json.loads(each) for each in metadata]
    return {
        f"fields.{path}": np.array([_number(value_at(row, path), bounds) for row in rows], dtype=np.float64)
        for path, bounds in fields.items()
    }


def _number(value: Any, bounds: FieldBounds) -> float:
    is_missing = value is MISSING or value is None
    if bounds.any_of is not None:
        values = [] if is_missing else value if isinstance(value, list) else [value]
        # In Python, True equals 1.
        allowed = [(isinstance(each, bool), each) for each in bounds.any_of]
        return float(any((isinstance(each, bool), each) in allowed for each in values) or (is_missing and bounds.keeps_missing))
    if is_missing and bounds.keeps_missing:
        kept = bounds.max if bounds.min is None else bounds.min
        return math.nan if kept is None else kept
    try:
        return float(value) if isinstance(value, int | float | str) else math.nan
    except (ValueError, OverflowError):
        return math.nan
