"""The command line: `python -m pipeline`, a group of the commands in `pipeline.commands`."""

import click

from pipeline.commands import asking, building
from pipeline.commands.frame import version_option
from pipeline.terminal import Group


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@version_option
def main() -> None:
    """From crawled pages to token shards, with a ledger of what happened to every page."""


# In the order in which a new user meets them.
for command in (
    building.run,
    building.status,
    asking.yield_,
    asking.what_if,
    asking.diff,
    asking.report,
    asking.explain,
    building.remove,
    asking.sql,
    building.export,
):
    main.add_command(command)
