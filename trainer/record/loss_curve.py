"""The picture of a run: `RUN/loss.svg`, drawn from `metrics.jsonl`.

The same rows make the same bytes, and matplotlib is used without pyplot, whose figures belong to the process. Text stays
text in the file, so that a run's name may be in Japanese whatever fonts this machine has.
"""

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from trainer.errors import TrainerError
from trainer.record.live_line import compact
from trainer.record.metrics import METRICS_FILE, read_metrics

PICTURE_FILE = "loss.svg"

# Each smoothed point averages 1/50 of the run: about the least width at which a bend can be told from noise in the picture.
_SMOOTHED_SHARE = 50
_FADED, _BLUE, _MARKS = "#a9c4e4", "#1f5a99", ["#c2410c", "#15803d", "#7e22ce", "#0f766e", "#a16207", "#be123c"]


def draw(run: Path) -> Path:
    """Write `RUN/loss.svg` over an earlier one and return its path.

    Against the steps (and, above, the tokens): the loss of training in nats a token, raw and smoothed, and that of
    validation, for each source. The right axis gives the same heights in bits a byte of the validation text. Raises
    TrainerError when there is no loss to draw, or the picture cannot be written.
    """
    rows = [row for row in read_metrics(run) if row.get("loss") is not None]
    train = [row for row in rows if row["kind"] == "train"]
    if not train:
        raise TrainerError(f"{run / METRICS_FILE}: there is no loss to draw; train a step first")
    path = run / PICTURE_FILE
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        # The salt makes the ids in the file, which would be drawn at random; it and the fonts are set for this picture only.
        with matplotlib.rc_context({"svg.hashsalt": "kotokura", "svg.fonttype": "none"}), warnings.catch_warnings():
            # The reader's font shows the letters; that matplotlib's own lacks some matters only to how it measures them.
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            figure = _figure(run.resolve().name, train, [row for row in rows if row["kind"] == "validation"])
            figure.savefig(temporary, format="svg", metadata={"Date": None})
        temporary.replace(path)
    except OSError as error:
        raise TrainerError(f"{path}: cannot be written ({error}); make room") from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


def smoothed(losses: Sequence[float]) -> np.ndarray:
    """The mean of as many losses before as after each, as far as the run reaches on both sides: it lags nowhere."""
    count = len(losses)
    index = np.arange(count)
    reach = np.minimum(count // (2 * _SMOOTHED_SHARE), np.minimum(index, count - 1 - index))
    sums = np.cumsum([0.0, *losses])
    return (sums[index + reach + 1] - sums[index - reach]) / (2 * reach + 1)


def _figure(name: str, train: Sequence[dict[str, Any]], validation: Sequence[dict[str, Any]]) -> Figure:
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.add_subplot()
    steps = np.array([row["step"] for row in train])
    losses = [row["loss"] for row in train]
    axes.plot(steps, losses, color=_FADED, linewidth=0.8, label="training")
    axes.plot(steps, smoothed(losses), color=_BLUE, linewidth=1.8, label="training, smoothed")
    for index, source in enumerate(dict.fromkeys(row.get("source") for row in validation)):
        own = [row for row in validation if row.get("source") == source]
        axes.plot(
            [row["step"] for row in own],
            [row["loss"] for row in own],
            "o-",
            color=_MARKS[index % len(_MARKS)],
            markersize=4,
            linewidth=1,
            label=f"validation: {source}" if source else "validation",
        )
    # A source's name may have a dollar sign, which is no formula.
    for text in axes.legend(frameon=False).get_texts():
        text.set_parse_math(False)
    axes.set_title(name, parse_math=False, fontweight="bold")
    axes.set_xlabel("steps")
    axes.set_ylabel("loss, nats a token")
    axes.grid(color="#e5e5e5", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}"))
    # The run begins at 0, whatever row its first is.
    steps_from_0, tokens_from_0 = np.insert(steps, 0, 0), np.array([0, *(row["tokens"] for row in train)])
    above = axes.secondary_xaxis("top")
    above.xaxis.set_major_formatter(FuncFormatter(lambda step, _: compact(float(np.interp(step, steps_from_0, tokens_from_0)))))
    above.set_xlabel("tokens")
    _add_bits_per_byte(axes, validation)
    return figure


def _add_bits_per_byte(axes: Any, validation: Sequence[dict[str, Any]]) -> None:
    """The right axis. Loss and bits a byte of one text are proportional; several sources have no factor in common."""
    factors = {row["bits_per_byte"] / row["loss"] for row in validation if row.get("bits_per_byte") and row["loss"]}
    if factors and max(factors) - min(factors) < 1e-6 * max(factors):
        factor = min(factors)
        right = axes.secondary_yaxis("right", functions=(lambda loss: loss * factor, lambda bits: bits / factor))
        right.set_ylabel("bits a byte of validation text")
