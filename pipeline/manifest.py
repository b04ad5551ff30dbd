"""The manifest: what to build, from what, under which rules. YAML in, one frozen object out, or one clear error.

Each section is the config class of a stage, and its keys are the fields of that class; an absent section has the defaults of the
class. Mistakes are found here, before any work is done; the error names the key and the nearest valid one.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, field_validator

from pipeline.clean.config import CleanConfig
from pipeline.config import Config, explained
from pipeline.dedup.config import DedupConfig
from pipeline.errors import UserError
from pipeline.extract.config import ExtractConfig
from pipeline.hosts.config import HostsConfig
from pipeline.inputs.config import FieldsConfig
from pipeline.measure.config import MeasureConfig
from pipeline.pii.config import PiiConfig
from pipeline.quality.config import QualityConfig
from pipeline.tokenize.config import TokenizeConfig
from pipeline.tokens.config import TokenizerConfig


class ManifestError(UserError):
    """A manifest or a `--set` that cannot be used; the message names the file, the key, the value and the remedy."""


class Manifest(Config):
    """Everything that a corpus depends on, besides the bytes of its inputs and the code."""

    input: tuple[str, ...] = Field(description="paths, globs or URIs of WARC, WET, JSON lines, Parquet or .paths files")
    paths_prefix: str = Field("", description="what stands before each line of a .paths file, such as https://host/")
    paths_limit: int | None = Field(None, ge=1, description="how many lines of a .paths file to take; all when absent")
    output: str = Field("data", description="the folder of the corpus")
    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, description="processes; they never change the result")
    fields: FieldsConfig = FieldsConfig()
    extract: ExtractConfig = ExtractConfig()
    measure: MeasureConfig = MeasureConfig()
    quality: QualityConfig = QualityConfig()
    dedup: DedupConfig = DedupConfig()
    hosts: HostsConfig = HostsConfig()
    clean: CleanConfig = CleanConfig()
    pii: PiiConfig = PiiConfig()
    tokenizer: TokenizerConfig = TokenizerConfig()
    tokenize: TokenizeConfig = TokenizeConfig()

    @field_validator("input", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @field_validator("output")
    @classmethod
    def _is_a_folder(cls, value: str) -> str:
        if "://" in value:
            raise ValueError(
                "a corpus is built in a folder of this machine; name one, and copy what you need to the store afterwards"
            )
        return value


def read_manifest(path: str, changes: Sequence[str] = (), **replacements: object) -> Manifest:
    """The manifest in the YAML file `path`.

    changes: `section.key=value` settings that override it, values written as in YAML. replacements: whole top-level keys; None
    keeps the key of the file. Raises ManifestError.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ManifestError(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ManifestError(f"{path}: a manifest is a mapping with at least the key 'input'; see manifests/ja_web.yaml")
    content.pop("versions", None)  # a corpus's own manifest.yaml records the versions that built it
    for change in changes:
        _apply_change(content, change)
    content.update({key: value for key, value in replacements.items() if value is not None})
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        raise ManifestError(f"{path}: {explained(error, Manifest)}") from error


def _apply_change(content: dict[str, Any], change: str) -> None:
    name, equals, value = change.partition("=")
    keys = name.strip().split(".")
    if not equals or not all(keys):
        raise ManifestError(f"--set {change!r}: write section.key=value, such as quality.num_letters.min=300")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ManifestError(f"--set {change!r}: the value is not YAML") from error
    section = content
    for key in keys[:-1]:
        if section.get(key) is None:
            section[key] = {}
        section = section[key]
        if not isinstance(section, dict):
            raise ManifestError(f"--set {change!r}: {key!r} is a single value and has no keys beneath it")
    section[keys[-1]] = parsed


_ABSENT = object()


def changed_settings(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """The settings whose values differ, as dotted key -> (before, after); None means null or a missing key."""
    found: dict[str, tuple[Any, Any]] = {}
    for key in dict.fromkeys([*before, *after]):
        old, new = before.get(key, _ABSENT), after.get(key, _ABSENT)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found |= changed_settings(old, new, f"{prefix}{key}.")
        elif old != new:
            found[f"{prefix}{key}"] = (None if old is _ABSENT else old, None if new is _ABSENT else new)
    return found
