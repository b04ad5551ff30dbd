"""Base class of every configuration section: frozen, typed, rejects unknown keys. Also turns validation errors into sentences."""

import difflib
import re
import typing
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError


class Config(BaseModel):
    """A section of the manifest; its fields are the YAML keys.

    Unknown keys are errors (`explained` turns them into a sentence that names the nearest known key), and an instance cannot be
    changed after validation, so its JSON can serve as the key of the work done under it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one of the `known` names that is most like `name`; None when none is like it."""
    # Half of the letters in the same order: a slip of the finger or another number of words, not another word.
    return next(iter(difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)), None)


def explained(error: ValidationError, root: type[BaseModel]) -> str:
    """What is wrong with the content that did not make a `root`: for each fault its key, its value and the remedy."""
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
    """A remedy for a value that is none of a few names and near to one of them."""
    if item["type"] != "literal_error":
        return ""
    choices = re.findall("'([^']*)'", item["ctx"]["expected"])
    close = nearest(str(item["input"]), choices)
    return f"; did you mean {close!r}?" if close else ""


def _model_at(location: Sequence[object], root: type[BaseModel]) -> type[BaseModel]:
    """The config class at a place of `root`; unions and optional sections are looked through."""
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
