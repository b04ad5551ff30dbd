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
from pipeline.places import PATH_KEYS, find_manifest, is_bundled, resolve_names
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
    """The manifest in the YAML file `path`, or the bundled one of that name, or that of the corpus in the folder `path`.

    changes: `section.key=value` settings that override it, values written as in YAML. replacements: whole top-level keys; None
    keeps the key of the file. `pipeline.places` says what relative names mean. The manifest that a corpus holds has the folder
    that it is in as its output. `input` is empty for a bundled manifest without inputs: it gets the sample, with the sample's
    settings of `tokenizer` and `tokenize`. Raises ManifestError, UserError.
    """
    file = find_manifest(path)
    content = _read(file)
    is_of_corpus = content.pop("versions", None) is not None  # a corpus's own manifest records the versions that built it
    given = {key: value for key, value in replacements.items() if value is not None}
    if is_of_corpus and "output" not in given:
        given["output"] = _own_folder(file)
    content = {**content, **given}
    if not content.get("input"):
        if not is_bundled(file):
            raise ManifestError(f"{path}: the key 'input' is missing; name the files of your crawl there, or with --input")
        sample = _read(file.with_name("sample.yaml"))
        content |= {"input": [], **{key: {**content.get(key, {}), **sample[key]} for key in ("tokenizer", "tokenize")}}
    resolve_names(content, file.parent, tuple(key for key in PATH_KEYS if key not in given))
    for change in changes:
        _apply_change(content, change)
    resolve_names(content, Path.cwd(), tuple(key for key in PATH_KEYS if key not in ("input", "output")))
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        raise ManifestError(f"{path}: {explained(error, Manifest)}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ManifestError(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ManifestError(f"{path}: a manifest is a mapping with at least the key 'input'; see manifests/ja_web.yaml")
    return content


def _own_folder(path: Path) -> str:
    """The corpus folder whose manifest is `path`. Raises ManifestError for a copy of it elsewhere."""
    if not (path.parent / "manifest.duckdb").exists():
        raise ManifestError(f"{path} is the manifest of a corpus, which is not in {path.parent}; name a folder with --output")
    return str(path.parent)


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
