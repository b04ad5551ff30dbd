"""The flags of `trainer.pretrain`, one per field of its configuration."""

import re

import pytest
from click.testing import CliRunner

from trainer.evaluate import main as evaluate
from trainer.flags import _INSTEAD, _SPOKEN
from trainer.generate import main as generate
from trainer.pretrain import main


def test_help_explains_every_flag() -> None:
    text = CliRunner().invoke(main, ["--help"]).output
    flags = re.findall(r"^  (--[a-z0-9-]+)", text, flags=re.MULTILINE)
    assert len(flags) > 40
    assert {"--schedule-kind", "--micro-batch-size", "--keep-every"} <= set(flags)
    for flag in flags:
        described = text.split(f"  {flag}", 1)[1].split("\n  --")[0].split()
        assert len(described) > 3, flag


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("--lr", "--schedule-peak"),
        ("--learning-rate", "--schedule-peak"),
        ("--learning_rate", "--schedule-peak"),
        ("--bs", "--batch-size"),
        ("--batch_size", "--batch-size"),
        ("--max-steps", "--steps"),
        ("--warmup", "--schedule-warmup-steps"),
        ("--optimizer", "AdamW"),
        ("--gradient-accumulation-steps", "--micro-batch-size"),
        ("--num-train-epochs", "--epochs"),
        ("--resume-from-checkpoint", "--resume"),
    ],
)
def test_a_name_that_other_programs_have_is_told_its_name_here(typed: str, told: str) -> None:
    result = CliRunner().invoke(main, [typed, "1"])
    assert result.exit_code == 2
    assert told in result.output.split("No such option", 1)[1]


def test_every_name_that_is_told_exists() -> None:
    commands = (main, evaluate, generate)
    known = {flag for command in commands for parameter in command.params for flag in parameter.opts}
    assert set(_SPOKEN) <= known
    assert not set(_INSTEAD) & known


def test_only_the_first_rank_says_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    result = CliRunner().invoke(main, ["--lr", "1"])
    assert (result.exit_code, result.output) == (2, "")
