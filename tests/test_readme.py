"""The README shows what the program prints."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from tests.conftest import ROOT

READMES = ["README.md", "README.ja.md"]


def blocks(name: str) -> list[str]:
    return re.findall(r"^```\w*\n(.*?)^```$", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("name", READMES)
def test_the_yield_table_is_that_of_the_sample(corpus: Path, name: str) -> None:
    shown = [line.split() for line in blocks(name)[1].splitlines()[2:]]
    stages = [json.loads(line) for line in CliRunner().invoke(main, ["yield", str(corpus), "--json"]).stdout.splitlines()]
    for row, stage in zip(shown, stages, strict=True):
        assert row[0] == stage["stage"]
        counts = ("docs_in", "docs_out", "chars_out", "bytes_out", "tokens_out")
        assert [row[index] for index in (1, 2, 5, 6, 7)] == [f"{stage[count]:,}" for count in counts]


@pytest.mark.parametrize("name", READMES)
def test_the_query_has_the_answer_that_is_shown(corpus: Path, name: str) -> None:
    query, answer = blocks(name)[2].split(";\n\n")
    assert CliRunner().invoke(main, ["sql", str(corpus), query]).stdout == answer


def test_the_threshold_of_the_example_changes_the_sample(corpus: Path) -> None:
    change = re.findall(r"--set (quality\.\S+)", (ROOT / "README.md").read_text(encoding="utf-8"))[0]
    answer = json.loads(CliRunner().invoke(main, ["what-if", str(corpus), "--set", change, "--json"]).stdout)
    last = answer["stages"][-1]
    assert 0 < last["then"]["documents"] < last["now"]["documents"]


@pytest.mark.parametrize("name", READMES)
def test_the_set_up_is_two_lines(name: str) -> None:
    assert len(blocks(name)[0].splitlines()) == 2
    assert blocks(name)[0] == blocks("README.md")[0]


@pytest.mark.parametrize("name", [*READMES, *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md")))])
def test_every_link_leads_to_a_file(name: str) -> None:
    page = ROOT / name
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
