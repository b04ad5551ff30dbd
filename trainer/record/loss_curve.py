"""The loss curve of a run: `RUN/loss.svg`, drawn from `metrics.jsonl`.

Equal rows give equal bytes, and matplotlib is used without pyplot, whose figures are global to the process. Text remains text in
the file, so a run's name may be Japanese whatever fonts this machine has.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from pipeline.files import replacing
from trainer.errors import TrainerError
from trainer.record.live_line import compact
from trainer.record.metrics import METRICS_FILE, read_metrics

PICTURE_FILE = "loss.svg"

# Each smoothed point averages 1/50 of the run, about the smallest width at which bends stand out from noise.
_SMOOTHED_SHARE = 50
_FADED, _BLUE, _MARKS = "#a9c4e4", "#1f5a99", ["#c2410c", "#15803d", "#7e22ce", "#0f766e", "#a16207", "#be123c"]


def draw(run: Path) -> Path:
    """Write `RUN/loss.svg`, replacing an earlier one, and return its path.

    It shows the training loss in nats per token, raw and smoothed, and the validation loss of each source, over the steps (and,
    above, the tokens). The right axis gives bits per byte of the validation text. Raises TrainerError if there is no loss to
    draw, or the picture cannot be written.
    """
    rows = [row for row in read_metrics(run) if row.get("loss") is not None]
    train = [row for row in rows if row["kind"] == "train"]
    if not train:
        raise TrainerError(f"{run / METRICS_FILE}: there is no loss to draw; train a step first")
    path = run / PICTURE_FILE
    try:
        with (
            replacing(path) as temporary,
            # The salt determines the ids in the file, which are random otherwise; settings apply to this picture only.
            matplotlib.rc_context({"svg.hashsalt": "kotokura", "svg.fonttype": "none"}),
            warnings.catch_warnings(),
        ):
            # The reader's fonts show the text; missing glyphs in matplotlib's own font only affect how it measures text.
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            figure = _figure(run.resolve().name, train, [row for row in rows if row["kind"] == "validation"])
            figure.savefig(temporary, format="svg", metadata={"Date": None})
    except OSError as error:
        raise TrainerError(f"{path}: cannot be written ({error}); free disk space") from error
    return path


def smoothed(losses: Sequence[float]) -> npt.NDArray[np.float64]:
    """Return the moving average of losses, over as many before as after each one, so that it does not lag."""
    count = len(losses)
    index = np.arange(count)
    reach = np.minimum(count // (2 * _SMOOTHED_SHARE), np.minimum(index, count - 1 - index))
    sums = np.cumsum([0.0, *losses])
    means: npt.NDArray[np.float64] = (sums[index + reach + 1] - sums[index - reach]) / (2 * reach + 1)
    return means


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
    # A dollar sign in a source's name does not start a formula.
    for text in axes.legend(frameon=False).get_texts():
        text.set_parse_math(False)
    axes.set_title(name, parse_math=False, fontweight="bold")
    axes.set_xlabel("steps")
    axes.set_ylabel("loss, nats per token")
    axes.grid(color="#e5e5e5", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}"))
    # The run begins at 0, whichever row is its first.
    steps_from_0, tokens_from_0 = np.insert(steps, 0, 0), np.array([0, *(row["tokens"] for row in train)])
    above = axes.secondary_xaxis("top")
    above.xaxis.set_major_formatter(FuncFormatter(lambda step, _: compact(float(np.interp(step, steps_from_0, tokens_from_0)))))
    above.set_xlabel("tokens")
    _add_bits_per_byte(axes, validation)
    return figure


def _add_bits_per_byte(axes: Any, validation: Sequence[dict[str, Any]]) -> None:
    """Add the right axis, if all sources have the same ratio of bits per byte to loss."""
    factors = {row["bits_per_byte"] / row["loss"] for row in validation if row.get("bits_per_byte") and row["loss"]}
    if factors and max(factors) - min(factors) < 1e-6 * max(factors):
        factor = min(factors)
        right = axes.secondary_yaxis("right", functions=(lambda loss: loss * factor, lambda bits: bits / factor))
        right.set_ylabel("bits per byte of validation text")
