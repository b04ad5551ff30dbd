"""The installed command `kotokura`: the commands of the pipeline, the trainer and the model as one.

`kotokura run …` is `python -m pipeline run …`, and `kotokura pretrain …` is `python -m trainer.pretrain …`. It is a part of the
trainer because the trainer may import the pipeline and the model, and neither of those may import the trainer; of the
pipeline's command line this one file alone knows. What a command needs is imported when it is called, so that
`kotokura --help` and the completion of its commands answer at once, without torch and where the extra `[train]` is not installed.
"""

from importlib import import_module
from typing import Any

import click

from pipeline.cli import main as pipeline_commands
from pipeline.commands.frame import version_option
from pipeline.terminal import Group

# name: module, and its help in one line, how that of the module's own command begins
_ELSEWHERE = {
    "pretrain": ("trainer.pretrain", "Train a language model on token shards that the pipeline wrote."),
    "evaluate": (
        "trainer.evaluate",
        "Score CHECKPOINT, the folder of a checkpoint or of a run (its newest one), on the validation text of token shards.",
    ),
    "generate": (
        "trainer.generate",
        "Continue a prompt with the model in CHECKPOINT, the folder of a checkpoint or a run, or an exported one.",
    ),
    "where": ("trainer.where.__main__", "Show what the run in the folder RUN was trained on, and when."),
    # `export` is the pipeline's: it writes texts
    "export-model": (
        "model.export",
        "Write the model and tokenizer of CHECKPOINT, the folder of a checkpoint or a run, into DIR for transformers to load.",
    ),
}
_OWN_PACKAGES = ("pipeline", "model", "trainer")


class _Elsewhere(click.Command):
    """A command of another module, which is imported when the command is called or its options are completed."""

    def __init__(self, name: str, module: str, help_line: str) -> None:
        super().__init__(name, help=help_line)
        self._module = module

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """The context of the module's command, which is then the one that is invoked."""
        try:
            command = import_module(self._module).main
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] in _OWN_PACKAGES:
                raise
            raise click.ClickException(
                f"{self.name} needs {error.name}, which is not installed; install kotokura with its extra [train]"
            ) from error
        context: click.Context = command.make_context(info_name, args, parent, **extra)
        return context


@click.group(cls=Group, name="kotokura", context_settings={"help_option_names": ["-h", "--help"]})
@version_option
def main() -> None:
    """From a web crawl to a language model's training data, and from the data to a model; Japanese first."""


for _command in pipeline_commands.commands.values():
    main.add_command(_command)
for _name, (_module, _help_line) in _ELSEWHERE.items():
    main.add_command(_Elsewhere(_name, _module, _help_line))


if __name__ == "__main__":
    main(prog_name="kotokura")
