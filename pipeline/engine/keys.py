"""The key of a unit of work: a hash of everything that can change its result.

It covers the code that the unit runs and the versions of its libraries (`closure`), the settings it obeys, and the digests of
what it reads. A unit is done if the ledger has it under its current key. So the key alone decides what is redone, and nothing
needs to be invalidated.
"""

import ast
import functools
import hashlib
import importlib.metadata
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from pipeline.engine.closure import closure_of_function, path_of
from pipeline.engine.stage import Stage
from pipeline.engine.task import Upstream

_PACKAGE_FOLDER = path_of("pipeline").parent


class Fixed(NamedTuple):
    """What all units of a stage share: a hash of the code they run, and their settings as plain JSON."""

    code: str
    settings: Any


def fixed_ingredients(manifest: BaseModel, root: Path, stages: Sequence[Stage]) -> dict[str, Fixed]:
    """Fixed ingredients by stage name, for the corpus in `root`. Raises UserError for a missing list, model or earlier corpus."""
    return {stage.name: Fixed(code_version(stage), _settings_of(stage, manifest, root)) for stage in stages}


def obeyed(stage: Stage, manifest: BaseModel) -> Any:
    """The part of the manifest that units of the stage get; None for a stage without settings."""
    return stage.obeys(*(getattr(manifest, name) for name in stage.settings.split())) if stage.settings else None


def _settings_of(stage: Stage, manifest: BaseModel, root: Path) -> Any:
    settings = obeyed(stage, manifest)
    outside = stage.outside(root, settings)
    plain = settings.model_dump(mode="json") if isinstance(settings, BaseModel) else settings
    # In the form that the ledger returns (tuples become lists), so that the two can be compared.
    return json.loads(json.dumps(plain if outside is None else [plain, outside]))


def ingredients(
    stage: Stage, fixed: Fixed, upstream: Upstream, digests: Mapping[str, str], part: str, parts: Sequence[str]
) -> dict[str, Any]:
    """The ingredients of a unit's key: code, settings and a digest per name in `reads`, as plain JSON.

    digests: digest by name; a name without one counts as "absent". A name that covers all parts gets one digest of all of them,
    so that the ledger's row of a unit stays short in a large corpus.
    """
    reads = {}
    for template in expanded(stage.reads, upstream):
        if stage.scope == "part" or "{part}" not in template:
            name = template.format(part=part, shard=part)
            reads[name] = digests.get(name, "absent")
        else:
            names = [template.format(part=each) for each in parts]
            reads[template.format(part="*")] = unit_key([(name, digests.get(name, "absent")) for name in names])
    return {"code": fixed.code, "settings": fixed.settings, "reads": reads}


def expanded(reads: Sequence[str], upstream: Upstream) -> Iterator[str]:
    """`reads` with stage names filled in from `upstream`; `{editor}` and `{removal}` give one name per stage."""
    for template in reads:
        if "{editor}" in template:
            yield from (template.replace("{editor}", name) for name in upstream.editors)
        elif "{removal}" in template:
            yield from (template.replace("{removal}", name) for name in upstream.removals)
        else:
            yield template.replace("{judge}", upstream.judge)


def unit_key(made_of: Any) -> str:
    """BLAKE2b-128 of the ingredients, as 32 hex digits."""
    return hashlib.blake2b(json.dumps(made_of, sort_keys=True).encode(), digest_size=16).hexdigest()


def code_version(stage: Stage) -> str:
    """BLAKE2b-64 (16 hex digits) of what the stage's units run: the meaning of its modules, data files, versions of libraries.

    Module names are left out, so moving a file without changing its meaning changes no key.
    """
    runs = closure_of_function(stage.perform)
    parts = sorted(_meaning_of_module(module) for module in runs.modules)
    parts += [hashlib.blake2b((_PACKAGE_FOLDER / file).read_bytes(), digest_size=16).hexdigest() for file in runs.files]
    parts += [f"{library} {importlib.metadata.version(library)}" for library in sorted({*runs.libraries, *stage.libraries})]
    return hashlib.blake2b("\n".join([stage.perform.__name__, *parts]).encode(), digest_size=8).hexdigest()


@functools.cache
def _meaning_of_module(module: str) -> str:
    meaning = meaning_of(path_of(module).read_text(encoding="utf-8"))
    return hashlib.blake2b(meaning.encode(), digest_size=16).hexdigest()


# Arguments that only document, by the call they belong to.
_WORDS = {"Field": "description", "Rule": "source", "Measure": "source"}


def meaning_of(source: str) -> str:
    """A text form of a Python program that is independent of layout, comments and docstrings.

    It is also independent of imports from the package itself and of the descriptions of rules and settings. Raises SyntaxError.
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, clean=False) is not None:
                body = body[1:]
            node.body = [child for child in body if not _is_own_import(child)]  # type: ignore[attr-defined]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _WORDS:
            node.keywords = [keyword for keyword in node.keywords if keyword.arg != _WORDS[node.func.id]]
    return ast.dump(tree)


def _is_own_import(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").partition(".")[0] == "pipeline"
    return isinstance(node, ast.Import) and all(alias.name.partition(".")[0] == "pipeline" for alias in node.names)
