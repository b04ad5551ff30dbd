"""Base class of every configuration section: frozen, typed, rejects unknown keys.

Also turns validation errors into one-line messages.
"""

import difflib
import re
import typing
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError


class Config(BaseModel):
    """A section of the manifest; its fields are the YAML keys.

    Unknown keys are errors; `explained` names the nearest known key. An instance cannot change after validation, so its JSON can
    be part of a unit's key.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name closest to `name`; None if none is similar."""
    # 0.5: half of the letters in the same order, which allows a typo or a missing word but not a different word.
    return next(iter(difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)), None)


def explained(error: ValidationError, root: type[BaseModel]) -> str:
    """The errors of validating a `root` as one line: for each, its key, its value and the remedy."""
    return "; ".join(_explain(item, root) for item in error.errors())


def _explain(item: Any, root: type[BaseModel]) -> str:
    key = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        known = list(_model_at(item["loc"][:-1], root).model_fields)
        close = nearest(str(item["loc"][-1]), known)
        hint = f"did you mean {close!r}?" if close else f"known keys are {', '.join(known)}"
        return f"unknown key {key!r}; {hint}"
    if item["type"] == "missing":
        return f"the key {key!r} is missing"
    message = item["msg"].removeprefix("Value error, ")
    before = f"{key}: " if key else ""
    got = "" if isinstance(item["input"], dict) else f" (got {item['input']!r})"
    return f"{before}{message}{got}{_nearest_choice(item)}"


def _nearest_choice(item: Any) -> str:
    """A suggestion for a value that is close to one of the allowed names; empty otherwise."""
    if item["type"] != "literal_error":
        return ""
    choices = re.findall("'([^']*)'", item["ctx"]["expected"])
    close = nearest(str(item["input"]), choices)
    return f"; did you mean {close!r}?" if close else ""


def _model_at(location: Sequence[object], root: type[BaseModel]) -> type[BaseModel]:
    """The config class at a location inside `root`, inside unions and optional sections too."""
    model = root
    for key in location:
        if key not in model.model_fields:
            continue  # a position in a list, or the tag of a union
        annotation = model.model_fields[str(key)].annotation
        choices = [annotation, *typing.get_args(annotation)]
        models = [choice for choice in choices if isinstance(choice, type) and issubclass(choice, BaseModel)]
        if models:
            model = models[0]
    return model
