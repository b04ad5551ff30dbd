"""The answers in the cookbook are those of the bundled sample's ledger.

`python -m tests.test_cookbook OUT` rewrites all answers, from a corpus built as the beginning of the cookbook says.
"""

import re
import sys
from pathlib import Path
from typing import NamedTuple

import duckdb
import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.corpus.ledger import FILE_NAME
from pipeline.corpus.views import read_ledger
from pipeline.flow import FLOW
from pipeline.terminal import aligned_text
from tests.conftest import ROOT

COOKBOOK = ROOT / "docs" / "cookbook.md"
# A heading, its query and its answer; a query about seconds has no answer.
_QUESTION = re.compile(r"^### (?P<title>.+)\n\n```sql\n(?P<query>[^`]+)```\n(?:\n```\n(?P<answer>[^`]*)```\n)?", re.MULTILINE)
TIMES = "Where did the time go?"


class Question(NamedTuple):
    """A heading of the cookbook, its query, and the answer shown."""

    title: str
    query: str
    answer: str | None


def questions(text: str) -> list[Question]:
    return [Question(found["title"], found["query"], found["answer"]) for found in _QUESTION.finditer(text)]


def renewed(text: str, connection: duckdb.DuckDBPyConnection) -> str:
    """The cookbook's `text` with the answers of `connection`."""

    def with_answer(found: re.Match[str]) -> str:
        question = f"### {found['title']}\n\n```sql\n{found['query']}```\n"
        if found["title"] == TIMES:
            return question
        result = connection.execute(found["query"])
        names = [column[0] for column in result.description or ()]
        return f"{question}\n```\n{aligned_text(names, result.fetchall())}\n```\n"

    return _QUESTION.sub(with_answer, text)


def renewed_by_plain_duckdb(text: str, corpus: Path) -> str:
    with duckdb.connect(str(corpus / FILE_NAME), read_only=True) as connection:
        return renewed(text, connection)


TEXT = COOKBOOK.read_text(encoding="utf-8")
QUESTIONS = questions(TEXT)
ANSWERED = [question for question in QUESTIONS if question.title != TIMES]


@pytest.fixture(scope="module")
def renewed_text(corpus: Path) -> str:
    """The cookbook after all answers were made wrong and then renewed."""
    stale = TEXT
    for question in ANSWERED:
        stale = stale.replace(f"```\n{question.answer}```\n", "```\nout of date\n```\n")
    assert stale.count("out of date") == len(ANSWERED)
    return renewed_by_plain_duckdb(stale, corpus)


@pytest.mark.parametrize("question", ANSWERED, ids=[question.title for question in ANSWERED])
def test_the_answer_is_what_plain_duckdb_says(renewed_text: str, question: Question) -> None:
    assert question in questions(renewed_text)


def test_renewing_changes_nothing_but_answers(renewed_text: str) -> None:
    assert _QUESTION.split(renewed_text)[::4] == _QUESTION.split(TEXT)[::4]


def test_the_views_of_the_command_give_the_same_answers(corpus: Path) -> None:
    with read_ledger(corpus) as ledger:
        assert renewed(TEXT, ledger.connection) == TEXT


def test_the_command_prints_the_answer_as_it_is_shown(corpus: Path) -> None:
    result = CliRunner().invoke(main, ["sql", str(corpus), ANSWERED[0].query])
    assert (result.exit_code, result.stdout) == (0, ANSWERED[0].answer)


def test_the_question_about_seconds_names_every_stage(corpus: Path) -> None:
    query = next(question.query for question in QUESTIONS if question.title == TIMES)
    lines = CliRunner().invoke(main, ["sql", str(corpus), query]).stdout.splitlines()
    assert lines[0].split() == ["stage", "units", "rows", "seconds"]
    assert {line.split()[0] for line in lines[2:]} == {stage.name for stage in FLOW}


def test_every_query_of_the_cookbook_is_a_question_with_an_answer_that_says_something() -> None:
    assert len(QUESTIONS) == TEXT.count("```sql") >= 15
    assert len({question.title for question in QUESTIONS}) == len(QUESTIONS)
    # A heading, a rule below it, and at least one row.
    assert [question.title for question in ANSWERED if question.answer is None or question.answer.count("\n") < 3] == []


def test_every_query_can_stand_in_the_quotes_of_a_command_line() -> None:
    assert [question.title for question in QUESTIONS if re.search(r'["$`\\!]', question.query)] == []


if __name__ == "__main__":
    COOKBOOK.write_text(renewed_by_plain_duckdb(TEXT, Path(sys.argv[1])), encoding="utf-8")
