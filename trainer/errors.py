"""Errors that the user can fix."""

from pipeline.errors import UserError


class TrainerError(UserError):
    """A setting, a file or a machine with which training cannot continue. The message names it and the remedy.

    Commands print it as one line, without a traceback.
    """
