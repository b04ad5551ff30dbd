"""Keys change exactly if a result can change; what each key covers is recorded in `keys.txt` beside this file."""

from pathlib import Path

import pytest

from pipeline.corpus.views import read_ledger
from pipeline.engine.closure import closure_of_function, path_of
from pipeline.engine.keys import Fixed, code_version, expanded, fixed_ingredients, ingredients, meaning_of, unit_key
from pipeline.engine.stage import Stage
from pipeline.engine.task import Upstream
from pipeline.flow import FLOW
from pipeline.manifest import read_manifest

RECORDED = Path(__file__).with_name("keys.txt")
PROGRAM = '''
"""What it is."""

class Bound:
    """A bound."""

    size = Field(3, description="how many")

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
        PROGRAM.replace("how many", "its size"),
        PROGRAM.replace("\nclass", "\nfrom pipeline.text import edits\nimport pipeline.rules\nclass"),
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
        PROGRAM.replace("Field(3", "Field(4"),
        PROGRAM.replace("\nclass", "\nimport re\nclass"),
        PROGRAM.replace("return value", "'no docstring'; return value").replace('"""Whether it holds."""', "1"),
    ],
)
def test_any_change_of_a_program_changes_its_meaning(other: str) -> None:
    assert meaning_of(other) != meaning_of(PROGRAM)


def test_each_stage_runs_code_of_its_own() -> None:
    assert len({code_version(stage) for stage in FLOW}) == len(FLOW)


def test_each_ingredient_changes_the_key() -> None:
    stage = Stage("clean", "part", FLOW[0].perform, reads=("documents/{part}", "tokenizer"))
    plain = Fixed("1", {"x": 1})

    def key(fixed: Fixed = plain, changed: dict[str, str] | None = None) -> str:
        digests = {"documents/part-00000": "a", "tokenizer": "b", **(changed or {})}
        return unit_key(ingredients(stage, fixed, Upstream(), digests, "part-00000", ["part-00000"]))

    read = [key(changed={"tokenizer": "c"}), key(changed={"documents/part-00000": "d"})]
    keys = [key(), key(Fixed("2", {"x": 1})), key(Fixed("1", {"x": 2})), *read]
    assert len(set(keys)) == len(keys)
    assert key(changed={"documents/part-00001": "of another part"}) == key()


def test_settings_are_what_the_ledger_gives_back(corpus: Path) -> None:
    manifest = read_manifest(str(corpus / "manifest.yaml"))
    with read_ledger(corpus) as ledger:
        recorded = {stage: row.ingredients["settings"] for (stage, _), row in ledger.units().items()}
    assert {stage: fixed.settings for stage, fixed in fixed_ingredients(manifest, corpus, FLOW).items()} == recorded


def test_a_stage_over_all_parts_depends_on_each_of_them() -> None:
    stage = Stage("dedup", "corpus", FLOW[0].perform, reads=("documents/{part}",))
    parts = ["part-00000", "part-00001"]
    made_of = [
        ingredients(
            stage, Fixed("1", None), Upstream(), {"documents/part-00000": "a", "documents/part-00001": digest}, "all", parts
        )
        for digest in ("b", "c")
    ]
    assert unit_key(made_of[0]) != unit_key(made_of[1])
    assert list(made_of[0]["reads"]) == ["documents/*"]


def test_names_of_other_stages_are_those_of_the_flow() -> None:
    upstream = Upstream(judge="hosts", editors=("clean", "pii"), removals=("removals",))
    reads = ("survivors/{judge}/{part}", "edits/{editor}/{part}", "removed/{removal}", "tokenizer")
    assert list(expanded(reads, upstream)) == [
        "survivors/hosts/{part}",
        "edits/clean/{part}",
        "edits/pii/{part}",
        "removed/removals",
        "tokenizer",
    ]
    assert list(expanded(reads[1:3], Upstream())) == []


def listing() -> str:
    """What each stage's key covers, in the form of `keys.txt`."""
    lines = []
    for stage in FLOW:
        runs = closure_of_function(stage.perform)
        lines += [stage.name, *(f"    {name}" for name in (*runs.modules, *runs.files))]
        lines += [f"    {library} (library)" for library in sorted({*runs.libraries, *stage.libraries}, key=str.lower)]
    return "\n".join(lines) + "\n"


def test_what_each_key_covers_is_recorded() -> None:
    """So a review sees what a change makes users redo. `python -m tests.pipeline.engine.test_keys` records it."""
    assert listing() == RECORDED.read_text(encoding="utf-8")


def test_every_data_file_that_decides_is_in_a_key() -> None:
    folder = path_of("pipeline").parent
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix in (".txt", ".tsv")}
    covered = {file for stage in FLOW for file in closure_of_function(stage.perform).files}
    assert covered == there


if __name__ == "__main__":
    RECORDED.write_text(listing(), encoding="utf-8")
