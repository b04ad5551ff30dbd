"""The learning rate as a pure function of the step: there is no state to save or restore.

Every kind rises linearly to the peak and then follows its own curve. Steps count from 0, as in the training loop, and the n-th
step of a warm-up of W steps, n counting from 1, has the rate `peak * n / W`: the first step already trains, and step W - 1 has
the peak. A text that counts steps from 1 and says "step 500 of a warm-up of 1,000 steps to 0.001 has 0.0005" refers to step 499
here. A warm-up of 0 steps is the same as one of 1 step: the first step has the peak.

    cosine               half a cosine from the peak to the minimum (Loshchilov & Hutter 2017, SGDR, arXiv 1608.03983,
                         eq. 5, one cycle without restarts)
    linear               a straight line from the peak to the minimum
    wsd                  the peak until the last `decay_share` of the run, then a decay to the minimum: warm-up, stable, decay
                         (Hu et al. 2024, MiniCPM, arXiv 2404.06395, section 4)
    step                 equal factors down to the minimum, at `milestones`; with the defaults 31.6 % of the peak after 80 %
                         of the run and 10 % after 90 % (DeepSeek-AI 2024, DeepSeek LLM, arXiv 2401.02954, section 2.3)
    inverse_square_root  peak * sqrt(W / n), never below the minimum (Vaswani et al. 2017, arXiv 1706.03762, section 5.3)
    constant             the peak

The first four depend on the length of the run and reach the minimum exactly at the last step (`step`: at the last milestone).
The last two depend on it only for a default warm-up. No kind rises after its warm-up.
"""

import math
from typing import assert_never

from trainer.config import ScheduleConfig
from trainer.errors import TrainerError

# The default warm-up: nanoGPT's hundred steps (config/train_shakespeare_char.py), but at most a tenth of a short run.
DEFAULT_WARMUP_STEPS = 100
DEFAULT_WARMUP_DIVISOR = 10


def warmup_of(schedule: ScheduleConfig, total_steps: int) -> int:
    """Return the steps of the warm-up in a run of `total_steps`. Raises TrainerError for a warm-up longer than the run."""
    if schedule.warmup_steps is None:
        return min(DEFAULT_WARMUP_STEPS, total_steps // DEFAULT_WARMUP_DIVISOR)
    if total_steps < schedule.warmup_steps:
        raise TrainerError(
            f"the schedule's warmup_steps is {schedule.warmup_steps}, longer than the run of {total_steps} steps; "
            "train longer, lower --schedule-warmup-steps, or leave it out: the default adapts to the run"
        )
    return schedule.warmup_steps


def learning_rate(schedule: ScheduleConfig, step: int, total_steps: int) -> float:
    """Return the learning rate of `step`, which counts from 0, in a run of `total_steps` steps.

    After the run it stays at the rate of the last step. A run that ends with its warm-up ends at the peak. Raises TrainerError
    if the run is shorter than the warm-up.
    """
    warmup = max(warmup_of(schedule, total_steps), 1)
    number = min(step + 1, total_steps)  # counts from 1
    if number <= warmup:
        return schedule.highest_rate * (number / warmup)
    return schedule.highest_rate * _share_of_peak(schedule, number, warmup, total_steps)


def _share_of_peak(schedule: ScheduleConfig, number: int, warmup: int, total_steps: int) -> float:
    """Return the rate of step `number`, which counts from 1 and is after the warm-up, as a share of the peak."""
    minimum: float = schedule.minimum_ratio
    progress = (number - warmup) / (total_steps - warmup)
    match schedule.kind:
        case "cosine":
            height = (1 + math.cos(math.pi * progress)) / 2
        case "linear":
            height = 1 - progress
        case "wsd":
            stable = max(warmup, total_steps - max(1, round(schedule.decay_share * total_steps)))
            decayed = max(0, number - stable) / (total_steps - stable)
            height = 1 - (math.sqrt(decayed) if schedule.decay_shape == "one_minus_sqrt" else decayed)
        case "step":
            # Rounded to whole steps, so that 0.29 of 100 steps, 28.999999999999996 in floating point, is 29 steps.
            passed = sum(number > min(round(milestone * total_steps), total_steps - 1) for milestone in schedule.milestones)
            return float(minimum ** (passed / len(schedule.milestones)))
        case "inverse_square_root":
            return max(minimum, math.sqrt(warmup / number))
        case "constant":
            return 1.0
        case _:
            assert_never(schedule.kind)
    return minimum + (1 - minimum) * height
