"""What comes from pages cannot control a terminal, and no encoding ends a command."""

import ast
import json
import os
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from pipeline.terminal import Command, aligned_text, harmless, json_text, show
from tests.conftest import ROOT

HOSTILE = "a\x1b[2Jb\x9bc\rd\u202ee"


def test_characters_that_control_a_terminal_are_shown_as_escapes_and_texts_stay() -> None:
    assert harmless(HOSTILE) == r"a\x1b[2Jb\x9bc\x0dd\u202ee"
    for text in ("一行目\n\t二行目　全角", "👩‍👩‍👧", r"C:\x1b"):
        assert harmless(text) == text


def test_json_stays_the_same_value() -> None:
    for value in ({"title": HOSTILE}, ["日本\n語"], "\ud800"):
        assert json.loads(json_text(value)) == value
        assert json_text(value) == harmless(json_text(value))


def test_a_cell_of_a_table_is_one_line() -> None:
    assert len(aligned_text(["a"], [["x\ny"], [HOSTILE]]).splitlines()) == 4


def test_the_error_of_a_command_is_harmless() -> None:
    @click.command(cls=Command)
    def fail() -> None:
        raise click.ClickException(HOSTILE)

    assert CliRunner().invoke(fail).stderr == f"Error: {harmless(HOSTILE)}\n"


@pytest.mark.parametrize(
    "environment",
    [
        {"LANG": "C", "LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "cp1252:strict", "PYTHONUTF8": "0"},
    ],
)
def test_a_character_that_the_encoding_lacks_ends_no_command(environment: dict[str, str]) -> None:
    program = (
        "import click\nfrom pipeline.terminal import Command, json_text, show\n"
        "@click.command(cls=Command)\n"
        "def main():\n    show('\\u65e5\\u672c');show(json_text({'a': '\\u65e5\\u672c'}));show('\\u65e5\\u672c', err=True)\n"
        "    raise click.ClickException('\\u65e5\\u672c')\n"
        "main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env={**os.environ, **environment}, capture_output=True, check=False
    )
    assert b"Traceback" not in ended.stderr
    assert ended.returncode == 1
    assert json.loads(ended.stdout.splitlines()[1]) == {"a": "日本"}


def test_every_command_of_the_pipeline_prints_through_one_place() -> None:
    for path in (ROOT / "pipeline").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and path != ROOT / "pipeline" / "terminal.py":
                assert ast.unparse(node.func) not in ("print", "click.echo", "click.secho"), f"{path}:{node.lineno}"


def test_show_prints_what_is_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    show(HOSTILE, nl=False)
    show(HOSTILE, err=True)
    assert capsys.readouterr() == (harmless(HOSTILE), harmless(HOSTILE) + "\n")
