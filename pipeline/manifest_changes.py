"""Which settings differ between two manifests."""

from typing import Any

from pipeline.manifest import Manifest

_ABSENT = object()


def changed_settings(before: Manifest, after: Manifest) -> dict[str, tuple[Any, Any]]:
    """The settings whose values differ, as key -> (before, after); None stands for null and for a key that is not there."""
    return _changes("", before.model_dump(mode="json"), after.model_dump(mode="json"))


def _changes(prefix: str, before: dict[str, Any], after: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    found: dict[str, tuple[Any, Any]] = {}
    for key in dict.fromkeys([*before, *after]):
        old, new = before.get(key, _ABSENT), after.get(key, _ABSENT)
        if isinstance(old, dict) and isinstance(new, dict):
            found |= _changes(f"{prefix}{key}.", old, new)
        elif old != new:
            found[f"{prefix}{key}"] = (None if old is _ABSENT else old, None if new is _ABSENT else new)
    return found
