"""What all commands share: how errors end them, the ledger they ask, and `--version`.

Exit status 0: done; 1: done, but units failed (they are listed), or the run had to stop; 2: wrong use; 130: interrupted. The
modules of a command are imported when it is called, so that `--help` answers at once.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.errors import RunStopped, UserError
from pipeline.terminal import show

if TYPE_CHECKING:
    from pipeline.corpus.ledger import Ledger

INTERRUPTED = 130  # as a shell reports a program ended by Ctrl-C


class WrongUse(click.ClickException):
    """A mistake that the user can fix: a key, a name, a file."""

    exit_code = 2


class Stopped(click.ClickException):
    """A failure of the machine or the data; finished work is kept."""

    exit_code = 1


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn expected errors into one line and an exit status; anything else is a fault of the program and shows its traceback."""
    try:
        yield
    except UserError as error:
        raise WrongUse(str(error)) from error
    except RunStopped as error:
        raise Stopped(str(error)) from error
    except KeyboardInterrupt:
        show("interrupted; finished work is kept, run the same command to resume", err=True)
        sys.exit(INTERRUPTED)


def user_name() -> str:
    """Who uses the program."""
    from pipeline.places import user_name as name_of_user

    return name_of_user()


def _print_versions(context: click.Context, _option: click.Parameter, is_given: bool) -> None:
    if not is_given or context.resilient_parsing:
        return
    from pipeline.operations.versions import versions, versions_text

    show(versions_text(versions()))
    context.exit()


version_option = click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_versions,
    help="Show the versions of all that decides results: libraries, and the code of each stage.",
)


@contextmanager
def open_ledger(output: str) -> Iterator["Ledger"]:
    """The ledger of the corpus in the folder `output`, open for reading."""
    from pipeline.corpus.views import read_ledger

    with read_ledger(Path(output)) as ledger:
        yield ledger
