"""The key of a unit of work: a hash of everything that can change its result.

That is the code that it runs and the versions of its libraries (`closure`), the settings that it obeys, and the digests of what
it reads. A unit is done when the ledger has it under its present key, so what is in the key decides what is done again, and
nothing needs to be invalidated.
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
    """What all units of a stage share: a hash of the code that they run, and their settings as plain JSON."""

    code: str
    settings: Any


def fixed_ingredients(manifest: BaseModel, root: Path, stages: Sequence[Stage]) -> dict[str, Fixed]:
    """By stage, for the corpus in `root`. Raises UserError for a list, model or earlier corpus that is not there."""
    return {stage.name: Fixed(code_version(stage), _settings_of(stage, manifest, root)) for stage in stages}


def obeyed(stage: Stage, manifest: BaseModel) -> Any:
    """What of the manifest a unit of the stage gets; None for a stage without settings."""
    return stage.obeys(getattr(manifest, stage.settings)) if stage.settings else None


def _settings_of(stage: Stage, manifest: BaseModel, root: Path) -> Any:
    settings = obeyed(stage, manifest)
    outside = stage.outside(root, settings)
    plain = settings.model_dump(mode="json") if isinstance(settings, BaseModel) else settings
    # As the ledger gives it back, tuples as lists, so that the two can be compared.
    return json.loads(json.dumps(plain if outside is None else [plain, outside]))


def ingredients(
    stage: Stage, fixed: Fixed, upstream: Upstream, digests: Mapping[str, str], part: str, parts: Sequence[str]
) -> dict[str, Any]:
    """What a unit's key is made of: code, settings and the digest of each thing read, as plain JSON.

    What stands for all parts has one digest of them all, so that the row of a unit stays short in a large corpus.
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
    """`reads` with the stages of `upstream` in them; a name of each editor or removal becomes as many names."""
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
    """A hash of what the stage's units run: the meaning of its modules, its data files, its libraries' versions.

    Names of own modules are not part of it: a file that moves without a change of meaning changes no key.
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


# Arguments that explain and decide nothing, by the call that they belong to.
_WORDS = {"Field": "description", "Rule": "source", "Measure": "source"}


def meaning_of(source: str) -> str:
    """A Python program as a text that its layout, comments and docstrings do not change.

    Nor do imports from the package itself, what rules and settings say of themselves, or which module is imported first.
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
