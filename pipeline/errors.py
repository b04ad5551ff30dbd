"""The two kinds of foreseen error. Programs distinguish errors by these classes, never by their text.

    UserError     the user can fix it: a key, a name, a file, an option       exit status 2
    RunStopped    the machine or the data stopped the run; finished work is kept, and the same command resumes      exit status 1

Any other exception is a fault of the program and shows its traceback.
"""

import errno
from typing import Literal

# What a failed unit means for the run. user: a retry cannot help. no_space: no further unit can be written. fault: anything
# else; it may be the machine's, so the unit is retried.
Kind = Literal["user", "no_space", "fault"]

_NO_SPACE = frozenset([errno.ENOSPC, errno.EDQUOT])


class UserError(Exception):
    """The user can fix it. The message names the file, the key, the value and the remedy."""


class RunStopped(Exception):
    """The run cannot go on. Finished work is kept; the message says why it stopped and what to do."""


def kind_of(error: BaseException) -> Kind:
    """The kind of the error that ended a unit of work; a full disk is recognised among the error's causes too."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _NO_SPACE:
            return "no_space"
        cause = cause.__cause__
    return "user" if isinstance(error, UserError) else "fault"


def described(error: BaseException) -> str:
    """An error as one line: the message of a foreseen error; for any other, its type and message."""
    message = " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename or ''}".rstrip(": ")
    return message if isinstance(error, UserError | RunStopped) else f"{type(error).__name__}: {message}"
