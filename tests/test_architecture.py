"""Which part may import which: a part may import parts on floors below its own, and none on its own floor.

A part is a file or folder directly in a package. So the engine imports no stage. A stage imports at most named modules of another
stage (`LENT`). Audit reads and never runs. Of the pipeline, the trainer imports only the token format and the ground floor. The
model imports no other package.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = {
    "pipeline": """
        __main__
        cli
        commands api
        operations audit
        flow manifest
        tokenize removals
        extract quality dedup hosts pii
        measure clean
        editing
        engine
        corpus inputs tokens
        places
        text rules config files terminal
        errors compiled
    """,
    "trainer": """
        command
        pretrain evaluate generate where api
        run flags
        optimization record checkpoints
        data machine
        config
        errors
    """,
    "model": """
        export
        hugging_face generation weights initialization presets
        gpt
        mixers
        config dropout cross_entropy sharding tensor_file
    """,
}
# What a part may import from other packages; a part without a line has its package's. `model` imports none.
ABROAD = {
    "pipeline.commands": {"trainer.where"},
    "trainer": {
        *("model", "pipeline.tokens", "pipeline.config", "pipeline.files", "pipeline.terminal", "pipeline.errors"),
        "pipeline.compiled",
    },
    "trainer.where": {"pipeline.tokens", "pipeline.corpus", "pipeline.removals", "pipeline.terminal", "pipeline.errors"},
    "trainer.command": {"pipeline.cli", "pipeline.commands", "pipeline.terminal", "model.export"},
}
# What a stage may import from a stage on a lower floor: tables, rules, and how dedup finds copies, not its work. The exception is
# what cleaning finds: near-duplicates are compared as cleaning leaves them, and finding edits twice is cheaper than storing those
# of dropped pages.
LENT = {
    "dedup": {"config", "columns", "copies"},
    "measure": {"table"},
    "clean": {"config", "stage"},
    "quality": {"config", "profiles"},
    "hosts": {"lists"},
}
STAGES = {"extract", "measure", "quality", "dedup", "hosts", "clean", "pii", "removals", "tokenize"}
FLOOR = {
    f"{package}.{part}": floor
    for package, rows in FLOORS.items()
    for floor, row in enumerate(rows.split("\n"))
    for part in row.split()
}


def modules() -> dict[str, Path]:
    """The files of the packages by dotted name; an `__init__` has its folder's name."""
    found = {}
    for package in FLOORS:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


MODULES = modules()


def imports_of(path: Path, type_checking: bool = True) -> set[str]:
    """The project's modules that a file imports, inside functions too."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names: set[str] = set()
    for node in _nodes(tree, type_checking):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    own = {name for name in names if name.partition(".")[0] in FLOORS}
    return {name if name in MODULES else name.rpartition(".")[0] for name in own}


def _nodes(tree: ast.AST, type_checking: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if not type_checking and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from _nodes(node, type_checking)


def part_of(name: str) -> str:
    return ".".join(name.split(".")[:2])


TIES = sorted({(name, other) for name, path in MODULES.items() for other in imports_of(path) if part_of(other) in FLOOR})


def test_every_part_is_on_a_floor() -> None:
    parts = {part_of(name) for name in MODULES if "." in name}
    assert parts == set(FLOOR)


@pytest.mark.parametrize(("part", "other"), sorted({(part_of(name), part_of(other)) for name, other in TIES}))
def test_a_part_imports_only_what_is_below_it(part: str, other: str) -> None:
    package, abroad = part.partition(".")[0], other.partition(".")[0]
    if package != abroad:
        assert ABROAD.get(part, ABROAD.get(package, set())) & {other, abroad}, f"{part} may not know {other}"
    elif part != other and "." in part:
        assert FLOOR[part] < FLOOR[other], f"{part} is not above {other}"


def test_a_stage_knows_tables_of_another_at_most() -> None:
    for name, other in TIES:
        _, stage, *_ = [*name.split("."), ""]
        package, lender, *module = other.split(".")
        if package == "pipeline" and name.startswith("pipeline.") and {stage, lender} <= STAGES and stage != lender:
            assert module[0] in LENT.get(lender, set()), f"{name} imports {other}"


def test_audit_reads_and_never_runs() -> None:
    for name, other in TIES:
        if name.startswith("pipeline.audit"):
            assert not other.startswith(("pipeline.operations", "pipeline.engine.runner", "pipeline.engine.local")), (name, other)


def test_asking_where_a_step_came_from_needs_no_torch() -> None:
    waiting, seen = [name for name in MODULES if name.startswith("trainer.where")], set[str]()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += imports_of(MODULES[name], type_checking=False)
    for name in seen:
        assert "\nimport torch" not in MODULES[name].read_text(encoding="utf-8"), name


def test_no_files_import_each_other_in_a_circle() -> None:
    graph = {name: imports_of(path, type_checking=False) - {name} for name, path in MODULES.items()}
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, " → ".join([*above[above.index(name) :], name])
        if name not in done:
            for other in sorted(graph.get(name, ())):
                visit(other, (*above, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_a_settings_file_is_light() -> None:
    """Reading a manifest must not load compiled code or a stage's libraries."""
    waiting, libraries, seen = ["pipeline.manifest"], set[str](), set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        waiting += imports_of(MODULES[name], type_checking=False)
        for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                imported = node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name
                libraries.add(imported.partition(".")[0])
    assert not libraries & {"numba", "duckdb", "fastwarc", "phonenumbers", "ahocorasick_rs", "sentencepiece", "torch"}
