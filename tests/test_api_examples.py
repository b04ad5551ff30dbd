"""The Python examples of `docs/api.md` run and give the answers shown."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
_ANSWER = re.compile(r"  # → (?P<answer>.+)$")


def answers_of(block: str, names: dict[str, Any]) -> list[tuple[str, str]]:
    """Run a block; per expression with an answer beside it: the answer shown, and the actual one."""
    found = []
    lines = block.splitlines()
    for statement in ast.parse(block).body:
        answer = _ANSWER.search(lines[(statement.end_lineno or 0) - 1])
        if isinstance(statement, ast.Expr) and answer:
            value = eval(compile(ast.Expression(statement.value), "docs/api.md", "eval"), names)
            found.append((answer["answer"], repr(value)))
        else:
            exec(compile(ast.Module([statement], []), "docs/api.md", "exec"), names)
    return found


def test_every_block_runs_and_gives_the_answers_that_are_shown(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, as in a notebook: later blocks use names of earlier ones."""
    monkeypatch.chdir(checkout)
    names: dict[str, Any] = {"__name__": "notebook"}
    for block in BLOCKS:
        for shown, given in answers_of(block, names):
            assert shown == given, block


def test_every_answer_belongs_to_an_expression() -> None:
    for block in BLOCKS:
        last_lines = {statement.end_lineno for statement in ast.parse(block).body if isinstance(statement, ast.Expr)}
        with_answer = {number for number, line in enumerate(block.splitlines(), start=1) if _ANSWER.search(line)}
        assert with_answer <= last_lines, block


@pytest.mark.parametrize("package", ["pipeline", "trainer"])
def test_every_function_and_error_is_named(package: str) -> None:
    offered: list[str] = __import__(package).__all__
    assert [name for name in offered if not re.search(rf"`?\b{name}\b", PAGE)] == []
