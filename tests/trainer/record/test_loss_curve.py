"""The loss curve of a run: equal bytes for equal rows, and its curves and axes."""

import math
import warnings
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.errors import TrainerError
from trainer.record.loss_curve import draw, smoothed
from trainer.record.metrics import Metrics


def a_run(parent: Path, name: str, sources: dict[str, float], steps: int = 60, first_loss: float = 9.0) -> Path:
    """A run of `steps`, validated every ten; `sources` gives the bits per byte of each for a loss of 1."""
    run = parent / name
    run.mkdir()
    with Metrics(run, tensorboard=False, wandb_project=None) as metrics:
        for step in range(1, steps + 1):
            loss = 3 + (first_loss - 3) / step
            row = {"step": step, "tokens": 500_000 * step}
            metrics.write({**row, "kind": "train", "loss": loss if step != 7 else math.nan})
            if step % 10 == 0:
                for source, factor in sources.items():
                    metrics.write({**row, "kind": "validation", "source": source, "loss": loss, "bits_per_byte": factor * loss})
    return run


def places_of(picture: Path) -> dict[str, tuple[float, float]]:
    """The texts of the picture and their anchors, in points from the left and the top."""
    elements = ElementTree.parse(picture).iter("{http://www.w3.org/2000/svg}text")
    return {(each.text or "").strip(): (float(each.get("x", "nan")), float(each.get("y", "nan"))) for each in elements}


def test_the_picture_names_the_run_its_axes_and_its_curves(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a font without Japanese must not concern the user
        picture = draw(a_run(tmp_path, "日本語 $x_1$", {"tokens": 0.25}))
    assert picture == tmp_path / "日本語 $x_1$" / "loss.svg"
    places = places_of(picture)
    for text in ("日本語 $x_1$", "steps", "tokens", "loss, nats per token", "bits per byte of validation text"):
        assert text in places
    for text in ("training", "training, smoothed", "validation: tokens"):
        assert text in places
    # 60 steps are 30 million tokens, on the axis above; a loss of 8 is 2 bits per byte, on the right axis.
    assert places["60"][0] == pytest.approx(places["30 M"][0], abs=1)
    assert places["8"][1] == pytest.approx(places["2.0"][1], abs=1)


def test_the_same_rows_make_the_same_bytes_and_other_rows_others(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    first = draw(a_run(tmp_path, "run", {"tokens": 0.25})).read_bytes()
    assert draw(tmp_path / "run").read_bytes() == first
    assert draw(a_run(tmp_path / "elsewhere", "run", {"tokens": 0.25})).read_bytes() == first
    assert draw(a_run(tmp_path, "other", {"tokens": 0.25}, first_loss=8.0)).read_bytes() != first
    assert sorted(file.name for file in (tmp_path / "run").iterdir()) == ["loss.svg", "metrics.jsonl"]


def test_each_source_has_a_curve_and_without_a_common_factor_there_is_no_axis_of_bits(tmp_path: Path) -> None:
    texts = places_of(draw(a_run(tmp_path, "run", {"web $1$": 0.25, "books": 0.3})))
    assert "validation: web $1$" in texts
    assert "validation: books" in texts
    assert "bits per byte of validation text" not in texts


def test_a_run_of_one_step_has_a_picture_and_one_without_a_loss_a_message(tmp_path: Path) -> None:
    assert "training" in places_of(draw(a_run(tmp_path, "short", {}, steps=1)))
    (tmp_path / "metrics.jsonl").touch()
    with pytest.raises(TrainerError, match=r"metrics\.jsonl: there is no loss to draw"):
        draw(tmp_path)


def test_a_picture_that_cannot_be_written_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    run = a_run(tmp_path, "run", {})
    (run / "loss.svg").mkdir()
    with pytest.raises(TrainerError, match=r"loss\.svg: cannot be written"):
        draw(run)
    assert sorted(file.name for file in run.iterdir()) == ["loss.svg", "metrics.jsonl"]


@given(count=st.integers(1, 400), seed=st.integers(0, 99))
def test_smoothing_is_the_mean_of_as_many_losses_on_both_sides(count: int, seed: int) -> None:
    losses = np.random.default_rng(seed).uniform(0, 20, count).tolist()
    expected = []
    for index in range(count):
        reach = min(count // 100, index, count - 1 - index)
        expected.append(sum(losses[index - reach : index + reach + 1]) / (2 * reach + 1))
    np.testing.assert_allclose(smoothed(losses), expected, rtol=1e-9)
