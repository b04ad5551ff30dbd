"""The flow as a table: what it names is there, and what changes a result changes a key."""

import ast
import importlib.metadata
from pathlib import Path

import pytest

import pipeline
from pipeline.flow import COUNTED, FLOW, Fixed, Stage, code_version, ingredients, meaning_of, unit_key

# What every stage uses, and what only says how values are configured, written or counted, cannot change a decision.
SHARED = {"configuration", "executor", "files", "rules", "tables", "tasks", "manifest", "ledger"}
# Nor can, of a module that is imported, what is a name or a type: `quality` reads columns that were measured, `tokenizer` and
# `tokenize` ask how wide a token is, which the tokenizer's digest decides, and where ids are all that is asked of `removals`,
# no host is looked at.
NAMES_ALONE = {("quality", "measure"), ("tokenizer", "token_store"), ("tokenize", "token_store"), ("tokenize", "tokenizer")}
NAMES_ALONE |= {("removals", "hosts")}
FOLDER = Path(pipeline.__file__).parent
PROGRAM = '''
"""What it is."""

class Bound:
    """A bound."""

    def holds(self, value):
        """Whether it holds."""
        return value < 3  # since two are enough
'''


@pytest.mark.parametrize(
    "same",
    [
        PROGRAM.replace("What it is.", "What it was."),
        PROGRAM.replace("A bound.", "A limit."),
        PROGRAM.replace("Whether it holds.", "If so."),
        PROGRAM.replace("since two are enough", "three are too many"),
        PROGRAM.replace("value < 3", "(value < 3)"),
        PROGRAM.replace("\n\n", "\n\n\n"),
    ],
)
def test_words_about_a_program_do_not_change_its_meaning(same: str) -> None:
    assert same != PROGRAM
    assert meaning_of(same) == meaning_of(PROGRAM)


@pytest.mark.parametrize(
    "other",
    [
        PROGRAM.replace("value < 3", "value < 4"),
        PROGRAM.replace("value < 3", "value <= 3"),
        PROGRAM.replace("holds(", "fails("),
        PROGRAM.replace("return value", "'no docstring'; return value").replace('"""Whether it holds."""', "1"),
    ],
)
def test_any_change_of_a_program_changes_its_meaning(other: str) -> None:
    assert meaning_of(other) != meaning_of(PROGRAM)


@pytest.mark.parametrize("stage", FLOW, ids=lambda stage: stage.name)
def test_a_stage_names_files_and_libraries_that_are_there(stage: Stage) -> None:
    for module in stage.modules:
        assert (FOLDER / module).exists() or (FOLDER / f"{module}.py").exists(), module
    assert all(importlib.metadata.version(library) for library in stage.libraries)


@pytest.mark.parametrize("stage", FLOW, ids=lambda stage: stage.name)
def test_a_stage_names_the_modules_that_its_own_ones_import(stage: Stage) -> None:
    named = {module for module in stage.modules if (FOLDER / f"{module}.py").exists()}
    for module in named:
        tree = ast.parse((FOLDER / f"{module}.py").read_text(encoding="utf-8"))
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
        own = {name.removeprefix("pipeline.") for name in imported if name.startswith("pipeline.")}
        missing = {name for name in own - named - SHARED if (module, name) not in NAMES_ALONE}
        assert not missing, f"{stage.name} runs {module}, which imports {missing}"


def test_each_stage_runs_code_of_its_own() -> None:
    assert len({code_version(stage) for stage in FLOW}) == len(FLOW)


def test_counted_stages_are_stages_of_the_flow_in_its_order() -> None:
    names = [stage.name for stage in FLOW]
    places = [names.index(name) for name in COUNTED[:-1]]
    assert places == sorted(places)


def test_each_ingredient_changes_the_key() -> None:
    stage = Stage("clean", "part", FLOW[0].perform, reads=("documents/{part}", "tokenizer"), modules=())
    plain = Fixed("1", {"x": 1})

    def key(fixed: Fixed = plain, changed: dict[str, str] | None = None) -> str:
        digests = {"documents/part-00000": "a", "tokenizer": "b", **(changed or {})}
        return unit_key(ingredients(stage, fixed, digests, "part-00000", ["part-00000"]))

    read = [key(changed={"tokenizer": "c"}), key(changed={"documents/part-00000": "d"})]
    keys = [key(), key(Fixed("2", {"x": 1})), key(Fixed("1", {"x": 2})), *read]
    assert len(set(keys)) == len(keys)
    assert key(changed={"documents/part-00001": "of another part"}) == key()


def test_a_stage_over_all_parts_depends_on_each_of_them() -> None:
    stage = Stage("dedup", "corpus", FLOW[0].perform, reads=("documents/{part}",), modules=())
    parts = ["part-00000", "part-00001"]
    made_of = [
        ingredients(stage, Fixed("1", None), {"documents/part-00000": "a", "documents/part-00001": digest}, "all", parts)
        for digest in ("b", "c")
    ]
    assert unit_key(made_of[0]) != unit_key(made_of[1])
    assert list(made_of[0]["reads"]) == ["documents/*"]
