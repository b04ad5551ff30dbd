"""The closure of a unit's function: the modules it imports, directly or not, with their data files and libraries.

It is computed from the sources, imports inside functions included, so nobody maintains a list of modules. Plumbing is left out,
because it cannot change a result: scheduling, the ledger, opening, reading and writing files, parsing settings, reporting
errors.
"""

import ast
import functools
import importlib.metadata
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pipeline

_ROOT = Path(pipeline.__file__).parent
_PACKAGE = "pipeline"
PLUMBING = ("engine", "corpus", "compiled", "config", "errors", "files", "inputs.network", "terminal")
# They only transport numbers and settings, so a new version of one changes no rule.
GENERAL_LIBRARIES = frozenset(["numba", "numpy", "pyarrow", "pydantic", "yaml", "duckdb"])


class Closure(NamedTuple):
    """Dotted module names, data files relative to the package, and distribution names of libraries; each tuple is sorted."""

    modules: tuple[str, ...]
    files: tuple[str, ...]
    libraries: tuple[str, ...]


@functools.cache
def closure_of(module: str) -> Closure:
    """The closure of a module, given by its dotted name. Raises LookupError if it is not in the package."""
    modules: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in modules:
            modules.add(name)
            waiting += [other for other in _read(name).own if not _is_plumbing(other)]
    found = [_read(name) for name in modules]
    imported = {library for each in found for library in each.libraries} - GENERAL_LIBRARIES
    files = {path for each in found for path in each.files}
    return Closure(tuple(sorted(modules)), tuple(sorted(files)), tuple(sorted(map(_distribution, imported))))


def _is_plumbing(module: str) -> bool:
    return any(module == f"{_PACKAGE}.{name}" or module.startswith(f"{_PACKAGE}.{name}.") for name in PLUMBING)


class _Module(NamedTuple):
    """What one module refers to: modules of the package, data files, top-level names of libraries."""

    own: frozenset[str]
    files: frozenset[str]
    libraries: frozenset[str]


def path_of(module: str) -> Path:
    """The source file of a module of the package. Raises LookupError if there is none."""
    path = _ROOT.parent / (module.replace(".", "/") + ".py")
    if path.is_file():
        return path
    path = path.with_suffix("") / "__init__.py"
    if path.is_file():
        return path
    raise LookupError(f"there is no module {module} in {_ROOT.parent}")


@functools.cache
def _read(module: str) -> _Module:
    path = path_of(module)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    own, libraries = set(), set()
    for name in _imported(tree):
        if name.partition(".")[0] == _PACKAGE:
            own.add(_module_of(name))
        else:
            libraries.add(name.partition(".")[0])
    own.discard(_PACKAGE)  # the package's own file only offers names
    strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return _Module(
        frozenset(own), frozenset(_data_files(path.parent, strings)), frozenset(libraries - set(sys.stdlib_module_names))
    )


def _imported(tree: ast.AST) -> Iterator[str]:
    """The dotted names of all imports, except those under `TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            yield from _imported(node)


def _module_of(name: str) -> str:
    """The module that an imported name comes from: the name itself if it is a module, otherwise its parent."""
    try:
        path_of(name)
    except LookupError:
        return name.rpartition(".")[0]
    return name


def _data_files(folder: Path, strings: set[str]) -> Iterator[str]:
    """Files whose names occur as strings in the module, in its folder or in sub-folders without Python files."""
    folders = [folder, *(path for path in folder.iterdir() if path.is_dir() and not any(path.glob("*.py")))]
    for path in (path for each in folders for path in each.iterdir() if path.is_file() and path.suffix != ".py"):
        if path.name in strings:
            yield path.relative_to(_ROOT).as_posix()


def _distribution(library: str) -> str:
    """The distribution that installs a library: `python-stdnum` for `stdnum`."""
    try:
        return str(importlib.metadata.distribution(library).metadata["Name"])
    except importlib.metadata.PackageNotFoundError:
        return _distribution_of_package(library)


@functools.cache
def _distribution_of_package(library: str) -> str:
    # `packages_distributions` takes half a second to read the file lists of all distributions, so it is the last resort.
    for distribution in importlib.metadata.distributions():
        if library in (distribution.read_text("top_level.txt") or "").split():
            return str(distribution.metadata["Name"])
    return importlib.metadata.packages_distributions()[library][0]


def closure_of_function(function: Callable[..., object]) -> Closure:
    """The closure of the module that defines `function`. Raises LookupError if it is not in the package."""
    return closure_of(function.__module__)
