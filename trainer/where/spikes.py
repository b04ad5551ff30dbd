"""Steps whose loss or gradient norm is unusually high compared with the steps before them.

The rule is a backward-looking Hampel filter (Hampel 1974; Pearson et al. 2016, "Generalized Hampel Filters", 2): a value is
unusual if it exceeds the median of the 128 steps before it by more than six times their median absolute deviation, scaled to a
standard deviation. The 128 steps, the six deviations and the minimum of 64 known steps come from OLMo-core's optimizer that
skips spikes (allenai/OLMo-core, src/olmo_core/optim/skip_step_optimizer.py). Median and absolute deviation replace its mean and
standard deviation, which a spike raises for the following steps, so that it hides a second one. A fast decrease is not unusual.
A value that is not finite always is, and enters no median.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

BEFORE = 128
AT_LEAST = 64
DEVIATIONS = 6.0
# Makes the median absolute deviation of normal values their standard deviation: 1 / (the normal's upper quartile).
SCALE = 1.4826
MEASURES = ("loss", "gradient_norm")

# Steps judged at once, with 128 float64 each, so that a run of any length takes 32 MiB.
STEPS_AT_ONCE = 2**15


@dataclass(frozen=True)
class Spike:
    """An unusual value.

    measure: one of MEASURES. value: None if it was not finite; median and limit, of the steps before, are None then too.
    """

    step: int
    measure: str
    value: float | None
    median: float | None
    limit: float | None


def spikes(rows: Iterable[Mapping[str, Any]]) -> list[Spike]:
    """Return the unusual values among the rows of a run's metrics, in the order of the steps."""
    training = [row for row in rows if row.get("kind") == "train"]
    found = []
    for measure in MEASURES:
        values_N = np.array([row.get(measure) for row in training], dtype=np.float64)  # None becomes NaN
        medians_N, limits_N = limits(values_N)
        finite_N = np.isfinite(values_N)
        for index in np.flatnonzero((values_N > limits_N) | ~finite_N).tolist():
            step = int(training[index]["step"])
            if finite_N[index]:
                compared = float(values_N[index]), float(medians_N[index]), float(limits_N[index])
                found.append(Spike(step, measure, *compared))
            else:
                found.append(Spike(step, measure, None, None, None))
    return sorted(found, key=lambda spike: (spike.step, MEASURES.index(spike.measure)))


def limits(values_N: Floats) -> tuple[Floats, Floats]:
    """Return the median of the finite values before each, and its upper limit: float64 (N,), NaN if too few came before."""
    medians_N, limits_N = np.full(len(values_N), np.nan), np.full(len(values_N), np.nan)
    places = np.flatnonzero(np.isfinite(values_N))
    finite = values_N[places]
    for nth in range(AT_LEAST, min(BEFORE, len(finite))):
        piece = places[nth : nth + 1]
        medians_N[piece], limits_N[piece] = _limits(finite[None, :nth])
    if len(finite) > BEFORE:
        before = np.lib.stride_tricks.sliding_window_view(finite[:-1], BEFORE)
        for start in range(0, len(before), STEPS_AT_ONCE):
            piece = places[BEFORE + start : BEFORE + start + STEPS_AT_ONCE]
            medians_N[piece], limits_N[piece] = _limits(before[start : start + STEPS_AT_ONCE])
    return medians_N, limits_N


def _limits(before: Floats) -> tuple[Floats, Floats]:
    """Return the median and limit of each row of values."""
    medians: Floats = np.median(before, axis=1)
    deviations = np.median(np.abs(before - medians[:, None]), axis=1)
    return medians, medians + DEVIATIONS * SCALE * deviations
