"""Which settings differ between two manifests, as plain mappings, so that those of an older version can be compared too."""

from collections.abc import Mapping
from typing import Any

_ABSENT = object()


def changed_settings(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """The settings whose values differ, as key -> (before, after); None stands for null and for a key that is not there."""
    found: dict[str, tuple[Any, Any]] = {}
    for key in dict.fromkeys([*before, *after]):
        old, new = before.get(key, _ABSENT), after.get(key, _ABSENT)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found |= changed_settings(old, new, f"{prefix}{key}.")
        elif old != new:
            found[f"{prefix}{key}"] = (None if old is _ABSENT else old, None if new is _ABSENT else new)
    return found
