"""The flags of `trainer.pretrain`, one per field of its configuration."""

import re

from click.testing import CliRunner

from trainer.pretrain import main


def test_help_explains_every_flag() -> None:
    text = CliRunner().invoke(main, ["--help"]).output
    flags = re.findall(r"^  (--[a-z0-9-]+)", text, flags=re.MULTILINE)
    assert len(flags) > 40
    assert {"--schedule-kind", "--micro-batch-size", "--keep-every"} <= set(flags)
    for flag in flags:
        described = text.split(f"  {flag}", 1)[1].split("\n  --")[0].split()
        assert len(described) > 3, flag
