"""What a person can mend."""


class TrainerError(Exception):
    """A setting, a file or a machine that training cannot go on with; the message names it and what to do.

    The commands print it as one line, without a traceback.
    """
