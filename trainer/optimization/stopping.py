"""Reasons to end a run before its last step: a signal, too many skipped steps, or a validation that no longer improves.

Each of the three only records events; the training loop asks at the end of a step, saves, and stops. With several ranks the
answers are those of one rank (a signal may reach only one process), so the loop must agree on them among all ranks before it
acts.
"""

import math
import signal
from types import FrameType
from typing import TypedDict

from trainer.errors import TrainerError

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopSignal:
    """Within its block, SIGTERM and SIGINT ask the loop to save and stop instead of ending the process.

    Cluster schedulers and `docker stop` send SIGTERM and wait before they kill; Ctrl-C sends SIGINT, and a second Ctrl-C raises
    KeyboardInterrupt at once. After the block the former handlers are back. Python allows handlers only in the main thread, so
    the block must run there.
    """

    def __init__(self) -> None:
        self.requested: str | None = None  # the name of the first signal received
        self._interrupted = False

    def __enter__(self) -> "StopSignal":
        self._former = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            if self._interrupted:
                raise KeyboardInterrupt
            self._interrupted = True
        self.requested = self.requested or signal.Signals(number).name


class SkippedSteps:
    """Counts the consecutive steps that were skipped because the loss or the gradient was not finite.

    A skipped step changes no weights. An occasional one does no harm; many in a row mean that the weights themselves no longer
    give a finite loss, and that continuing would only waste time.
    """

    def __init__(self, limit: int, in_a_row: int = 0) -> None:
        """in_a_row: those at the end of the run that is resumed."""
        self.limit = limit
        self.in_a_row = in_a_row

    def record(self, step: int, healthy: bool, loss: float, gradient_norm: float) -> None:
        """Record whether the optimizer took `step`. Raises TrainerError after `limit` skipped steps in a row."""
        self.in_a_row = 0 if healthy else self.in_a_row + 1
        if self.in_a_row >= self.limit:
            raise TrainerError(
                f"step {step}: loss {loss}, gradient norm {gradient_norm}; {self.in_a_row} steps in a row were skipped; "
                "resume from an earlier checkpoint with a lower peak learning rate or in fp32, and look at the windows of step "
                f"{step + 1 - self.in_a_row}"
            )


class EarlyStoppingState(TypedDict):
    """The state of `EarlyStopping` in a checkpoint: its arguments except the patience."""

    best: float | None
    waited: int


class EarlyStopping:
    """Detects `patience` validations in a row that are no lower than the lowest before them."""

    def __init__(self, patience: float, best: float | None = None, waited: int = 0) -> None:
        self.patience = patience
        self.best = best
        self.waited = waited  # validations since the best one

    @property
    def state(self) -> EarlyStoppingState:
        """The state from which `EarlyStopping(patience, **state)` continues."""
        return {"best": self.best, "waited": self.waited}

    def update(self, value: float) -> bool:
        """Record a validation (lower is better) and return whether to stop. A value that is not finite is never the best."""
        if math.isfinite(value) and (self.best is None or value < self.best):
            self.best, self.waited = value, 0
        else:
            self.waited += 1
        return self.waited >= self.patience
