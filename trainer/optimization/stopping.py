"""Why a run ends before its last step: a signal, steps that cannot be taken, or a validation that no longer falls.

Each of the three only notes what it is told; the training loop asks at the end of a step, saves, and stops. With many ranks
the answers are one rank's own (a signal may reach one process and not the others), so the loop must agree on them among
all ranks before it acts.
"""

import math
import signal
from types import FrameType
from typing import TypedDict

from trainer.errors import TrainerError

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopSignal:
    """While its block runs, SIGTERM and SIGINT ask the loop to save and stop instead of ending the process.

    Schedulers of clusters and `docker stop` send SIGTERM and wait before they kill; Ctrl-C sends SIGINT, and a second Ctrl-C
    raises KeyboardInterrupt at once. When the block ends, signals do again what they did before. Python allows handlers in
    the main thread alone, so the block must run there.
    """

    def __init__(self) -> None:
        self.requested: str | None = None  # the name of the first signal that came
        self._interrupted = False

    def __enter__(self) -> "StopSignal":
        self._former = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            if self._interrupted:
                raise KeyboardInterrupt
            self._interrupted = True
        self.requested = self.requested or signal.Signals(number).name


class SkippedSteps:
    """Counts the steps in a row that were skipped because the loss or the gradient was not finite.

    A skipped step changes no weight. One now and then does no harm; many in a row mean that the weights themselves give no
    finite loss any more, and that going on would only burn time.
    """

    def __init__(self, limit: int, in_a_row: int = 0) -> None:
        """in_a_row: those before a run went on."""
        self.limit = limit
        self.in_a_row = in_a_row

    def record(self, step: int, healthy: bool, loss: float, gradient_norm: float) -> None:
        """Note whether the optimizer took `step`; raises TrainerError when it is the last of `limit` skipped in a row."""
        self.in_a_row = 0 if healthy else self.in_a_row + 1
        if self.in_a_row >= self.limit:
            raise TrainerError(
                f"step {step}: loss {loss}, gradient norm {gradient_norm}; {self.in_a_row} steps in a row were skipped; go on "
                "from an earlier checkpoint with a lower peak learning rate or in fp32, and look at the windows of step "
                f"{step + 1 - self.in_a_row}"
            )


class EarlyStoppingState(TypedDict):
    """What a checkpoint keeps of `EarlyStopping`: its arguments beside the patience."""

    best: float | None
    waited: int


class EarlyStopping:
    """Says when `patience` validations in a row were no lower than the lowest before them."""

    def __init__(self, patience: float, best: float | None = None, waited: int = 0) -> None:
        self.patience = patience
        self.best = best
        self.waited = waited  # validations since the best

    @property
    def state(self) -> EarlyStoppingState:
        """`EarlyStopping(patience, **state)` goes on where this one is."""
        return {"best": self.best, "waited": self.waited}

    def update(self, value: float) -> bool:
        """Note a validation, lower being better; True when the run should stop. A value that is not finite is never the best."""
        if math.isfinite(value) and (self.best is None or value < self.best):
            self.best, self.waited = value, 0
        else:
            self.waited += 1
        return self.waited >= self.patience
