"""The metrics of a run: whole lines, valid JSON, each step once, readable by DuckDB; and TensorBoard and W&B."""

import json
import math
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from trainer.errors import TrainerError
from trainer.record.metrics import RECENT_STEPS, Metrics, Speed, read_metrics

ROOT = Path(__file__).parents[3]

# Writes rows as fast as it can until it is killed, and reports when it has written 100.
WRITE_ON = """
import itertools, sys
from pathlib import Path
from trainer.record.metrics import Metrics
metrics = Metrics(Path(sys.argv[1]), tensorboard=False, wandb_project=None)
for step in itertools.count(1):
    metrics.write({"step": step, "tokens": 8 * step, "kind": "sample", "text": "東京" * 500})
    if step == 100:
        print("writing", flush=True)
"""


def train_row(step: int, loss: float = 2.5) -> dict[str, float | int | str | None]:
    return {"step": step, "tokens": 100 * step, "kind": "train", "loss": loss, "learning_rate": 1e-3, "skipped": False}


def validation_row(step: int, source: str = "tokens") -> dict[str, float | int | str | None]:
    return {"step": step, "tokens": 100 * step, "kind": "validation", "source": source, "loss": 3.0, "perplexity": math.exp(3)}


def opened(run: Path, resumed_step: int | None = None, tensorboard: bool = False, wandb_project: str | None = None) -> Metrics:
    return Metrics(run, tensorboard=tensorboard, wandb_project=wandb_project, resumed_step=resumed_step)


def test_rows_are_lines_as_soon_as_they_are_written(tmp_path: Path) -> None:
    with opened(tmp_path) as metrics:
        for step in (1, 2):
            metrics.write(train_row(step))
            content = metrics.path.read_text()
            assert content.count("\n") == step
            assert content.endswith("\n")
    assert read_metrics(tmp_path) == [train_row(1), train_row(2)]


def test_duckdb_reads_the_file_with_numbers_that_are_not_finite_as_null(tmp_path: Path) -> None:
    with opened(tmp_path) as metrics:
        for step, loss in enumerate((math.nan, 2.5, math.inf, -math.inf), start=1):
            metrics.write(train_row(step, loss))
        metrics.write(validation_row(4, "日本語"))
        metrics.write({"step": 4, "tokens": 400, "kind": "sample", "prompt": "吾輩は", "text": '猫"\n\u2028である\0'})
    query = f"SELECT kind, loss, source, text, skipped FROM read_json('{metrics.path}')"
    rows = duckdb.execute(query).fetchall()
    assert [row[1] for row in rows] == [None, 2.5, None, None, 3.0, None]
    assert rows[4] == ("validation", 3.0, "日本語", None, None)
    assert rows[5][:1] + rows[5][3:] == ("sample", '猫"\n\u2028である\0', None)
    assert rows[0][4] is False


def test_duckdb_reads_a_run_that_validates_first_after_its_sample(tmp_path: Path) -> None:
    lines = [json.dumps(train_row(step)) for step in range(1, 21_001)] + [json.dumps(validation_row(21_000))]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    query = f"SELECT count(*), count(perplexity) FROM read_json('{tmp_path / 'metrics.jsonl'}', sample_size = -1)"
    assert duckdb.execute(query).fetchall() == [(21_001, 1)]


@given(last=st.integers(0, 12), resumed=st.integers(0, 12), torn=st.integers(0, 40))
def test_after_a_resume_every_step_stands_once(
    tmp_path_factory: pytest.TempPathFactory, last: int, resumed: int, torn: int
) -> None:
    run = tmp_path_factory.mktemp("run")
    with opened(run) as metrics:
        for step in range(1, last + 1):
            metrics.write(train_row(step))
    with metrics.path.open("ab") as stream:
        stream.write(json.dumps(train_row(last + 1)).encode()[:torn])
    checkpoint = min(resumed, last)
    with opened(run, resumed_step=checkpoint) as metrics:
        for step in range(checkpoint + 1, 14):
            metrics.write(train_row(step, loss=1.0))
    rows = read_metrics(run)
    assert [row["step"] for row in rows] == list(range(1, 14))
    assert [row["loss"] for row in rows] == [2.5] * checkpoint + [1.0] * (13 - checkpoint)
    assert [file.name for file in run.iterdir()] == ["metrics.jsonl"]


def test_validation_at_the_step_of_the_checkpoint_is_kept(tmp_path: Path) -> None:
    rows = [train_row(1), train_row(2), validation_row(2), train_row(3)]
    with opened(tmp_path) as metrics:
        for row in rows:
            metrics.write(row)
    opened(tmp_path, resumed_step=2).close()
    assert read_metrics(tmp_path) == rows[:3]


def test_a_killed_run_leaves_whole_lines_and_at_most_one_torn(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", WRITE_ON, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"writing\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    steps = [row["step"] for row in read_metrics(tmp_path)]
    assert steps == list(range(1, len(steps) + 1))
    assert len(steps) >= 100
    opened(tmp_path, resumed_step=50).close()
    assert len(read_metrics(tmp_path)) == 50


def test_another_run_is_not_written_over(tmp_path: Path) -> None:
    with opened(tmp_path) as metrics:
        metrics.write(train_row(1))
    with pytest.raises(TrainerError, match=r"metrics\.jsonl belongs to another run; choose another --output, or --resume"):
        opened(tmp_path)
    assert read_metrics(tmp_path) == [train_row(1)]


def test_a_full_disk_is_one_message_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").symlink_to("/dev/full")
    with (
        opened(tmp_path) as metrics,
        pytest.raises(TrainerError, match=r"metrics\.jsonl: cannot be written .*No space left.*free disk space"),
    ):
        metrics.write(train_row(1))


def test_a_missing_folder_and_a_damaged_line_are_named(tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match=r"metrics\.jsonl: cannot be written"):
        opened(tmp_path / "nowhere")
    with pytest.raises(TrainerError, match=r"metrics\.jsonl: cannot be read"):
        read_metrics(tmp_path)
    for line in ("{", "[]", '{"loss": 1}'):
        (tmp_path / "metrics.jsonl").write_text(f"{json.dumps(train_row(1))}\n{line}\n")
        with pytest.raises(TrainerError, match="line 2 is not a row of metrics"):
            read_metrics(tmp_path)


def test_tensorboard_has_the_finite_numbers_and_after_a_resume_only_those_of_the_steps_that_count(tmp_path: Path) -> None:
    with opened(tmp_path, tensorboard=True) as metrics:
        for step in (1, 2, 3):
            metrics.write(train_row(step, loss=math.nan if step == 1 else 5.0))
        metrics.write(validation_row(3, "web"))
    with opened(tmp_path, tensorboard=True, resumed_step=2) as metrics:
        metrics.write(train_row(3, loss=1.0))
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(event.step, event.value) for event in events.Scalars("train/loss")] == [(2, 5.0), (3, 1.0)]
    assert [event.value for event in events.Scalars("train/tokens")] == [100, 200, 300]
    assert "train/step" not in events.Tags()["scalars"]


def test_a_start_that_writes_nothing_leaves_no_file_of_tensorboard(tmp_path: Path) -> None:
    opened(tmp_path, tensorboard=True).close()
    assert not (tmp_path / "tensorboard").exists()


def test_tensorboard_calls_a_source_by_its_label(tmp_path: Path) -> None:
    with Metrics(tmp_path, tensorboard=True, wandb_project=None, labels={"/a/web/tokens": "web/tokens"}) as metrics:
        metrics.write(validation_row(3, "/a/web/tokens"))
    tags = EventAccumulator(str(tmp_path / "tensorboard")).Reload().Tags()["scalars"]
    assert "validation/web/tokens/loss" in tags


def test_wandb_goes_on_with_a_resumed_run_under_the_id_it_began_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    (tmp_path / "wandb_id").write_text("begun")
    with opened(tmp_path, wandb_project="kotokura-tests", resumed_step=1) as metrics:
        metrics.write(train_row(2))
    # W&B's own process writes the content of the file later.
    (written,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    assert written.name == "run-begun.wandb"


@pytest.mark.parametrize(("package", "extra"), [("torch.utils.tensorboard", "train"), ("wandb", "wandb")])
def test_a_package_that_is_asked_for_and_missing_is_named_before_anything_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, extra: str
) -> None:
    with opened(tmp_path) as metrics:
        metrics.write(train_row(1))
    monkeypatch.setitem(sys.modules, package, None)  # makes the import fail
    with pytest.raises(TrainerError, match=rf"not installed .*pip install -e '\.\[{extra}\]'"):
        opened(tmp_path, resumed_step=0, tensorboard=extra == "train", wandb_project="x" if extra == "wandb" else None)
    assert read_metrics(tmp_path) == [train_row(1)]


def test_speed_is_that_of_the_last_steps() -> None:
    speed = Speed()
    assert speed.tokens_per_second == 0
    speed.add(1000, 100.0)
    assert speed.tokens_per_second == 10
    for _ in range(RECENT_STEPS):
        speed.add(500, 0.25)
    assert speed.tokens_per_second == 2000
