"""The figures of a run: `RUN/metrics.jsonl`, and beside it TensorBoard and Weights & Biases for those who use them.

`metrics.jsonl` is the record, one flat JSON object a line. Every row has `step`, the optimizer steps taken, `tokens`, those
trained on by then, and `kind`, which says what else it has:

- `train`: `loss` in nats a token, `bits_per_byte`, `learning_rate`, `gradient_norm`, `tokens_per_second`, `peak_share`
  (of the measured matrix-product peak, 0 to 1), `seconds` that a step took, `skipped` (its loss or gradient was not
  finite);
- `validation`: a row for each `source`, with `loss`, `bits_per_byte` and `perplexity`;
- `sample`: `prompt` and `text`.

A number that is not finite is null, for JSON has no other way to say it. DuckDB reads the file by
`read_json('metrics.jsonl')`; it takes the columns from the first 20,480 rows, so a run that validates more rarely needs
`sample_size = -1` as well.

A run that is resumed goes back to its checkpoint. Rows after that step are dropped when the file is opened, so that every
step stands in it once.
"""

import json
import math
import os
import uuid
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from trainer.errors import TrainerError

METRICS_FILE = "metrics.jsonl"
WANDB_ID_FILE = "wandb_id"

# Steps that a speed is taken over: enough to even out documents of all lengths, few enough to show a change in minutes.
RECENT_STEPS = 20

Value = float | int | str | None
Row = Mapping[str, Value]


class Speed:
    """Tokens a second over the last `RECENT_STEPS` steps, of the time that the caller gives: that of training alone."""

    def __init__(self) -> None:
        self._recent: deque[tuple[int, float]] = deque(maxlen=RECENT_STEPS)

    def add(self, tokens: int, seconds: float) -> None:
        """A step over `tokens` took `seconds`, without validation, saving and compiling."""
        self._recent.append((tokens, seconds))

    @property
    def tokens_per_second(self) -> float:
        """0 before the first step."""
        seconds = sum(seconds for _, seconds in self._recent)
        return sum(tokens for tokens, _ in self._recent) / seconds if seconds else 0.0


class Metrics:
    """Where the rows of one run go. One process of a run has it."""

    def __init__(self, run: Path, tensorboard: bool, wandb_project: str | None, resumed_step: int | None = None) -> None:
        """Open the record of the folder `run`, which exists; `resumed_step` is that of the checkpoint a run goes on from, 0
        where it was ended before its first; None for a run that begins.

        tensorboard: write `RUN/tensorboard` too. wandb_project: the project of Weights & Biases to write to, or None.
        Raises TrainerError when the file cannot be written, when it has rows of another run, and when a package that is
        asked for is not installed.
        """
        self.path = run / METRICS_FILE
        kept = self.path.stat().st_size if self.path.exists() else 0
        if resumed_step is None and kept:
            raise TrainerError(f"{self.path} holds another run; choose another output, or --resume to go on with that run")
        # Before the file is touched: what is missing is said before anything is lost.
        self._tensorboard = _open_tensorboard(run, resumed_step) if tensorboard else None
        self._wandb = _open_wandb(run, wandb_project) if wandb_project is not None else None
        try:
            if kept:
                _rewrite(self.path, [row for row in read_metrics(run) if row["step"] <= resumed_step])
            # Unbuffered: a row is one write, and a run that is killed leaves at most one line torn.
            self._stream = self.path.open("ab", buffering=0)
        except OSError as error:
            raise self._unwritable(error) from error

    def write(self, row: Row) -> None:
        """Append `row`, which has step, tokens and kind. Raises TrainerError when the file cannot be written."""
        line = _line(row)
        try:
            written = self._stream.write(line)
        except OSError as error:
            raise self._unwritable(error) from error
        if written != len(line):
            raise self._unwritable(f"{written} of {len(line)} bytes written")
        self._write_beside(row)

    def close(self) -> None:
        """End all files; W&B's run is finished."""
        self._stream.close()
        if self._tensorboard is not None:
            self._tensorboard.close()
        if self._wandb is not None:
            self._wandb.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _write_beside(self, row: Row) -> None:
        """The finite numbers of `row` under kind/name, or kind/source/name for the rows of a source."""
        prefix = "/".join(str(row[name]) for name in ("kind", "source") if row.get(name) is not None)
        numbers = {f"{prefix}/{name}": value for name, value in row.items() if name != "step" and _is_number(value)}
        step = row["step"]
        if self._tensorboard is not None:
            for name, value in numbers.items():
                self._tensorboard.add_scalar(name, value, step)
        if self._wandb is not None and numbers:
            self._wandb.log(numbers, step=step)

    def _unwritable(self, reason: object) -> TrainerError:
        return TrainerError(f"{self.path}: cannot be written ({reason}); make room, then go on with --resume")


def read_metrics(run: Path) -> list[dict[str, Any]]:
    """The rows of `RUN/metrics.jsonl`, in order; a last line without its end, torn when a run was killed, is left out.

    Raises TrainerError when there is no such file, or another line is no row.
    """
    path = run / METRICS_FILE
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TrainerError(f"{path}: cannot be read ({error}); give the folder of a run") from error
    rows = []
    for number, line in enumerate(content.split(b"\n")[:-1], start=1):
        try:
            row = json.loads(line)
            rows.append({**row, "step": int(row["step"])})
        except (ValueError, TypeError, KeyError) as error:
            raise TrainerError(f"{path}: line {number} is no row of metrics ({error!r}); remove the line") from error
    return rows


def _line(row: Row) -> bytes:
    finite = {name: value if not isinstance(value, float) or math.isfinite(value) else None for name, value in row.items()}
    return (json.dumps(finite, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _rewrite(path: Path, rows: list[dict[str, Any]]) -> None:
    """Replace the file at `path` by `rows`, at once and safe from a crash."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            stream.writelines(map(_line, rows))
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _open_tensorboard(run: Path, resumed_step: int | None) -> Any:
    try:
        # Imported here: it takes a second, which only those who ask for it should wait.
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise TrainerError(f"tensorboard is asked for and not installed ({error}); pip install 'kotokura[train]'") from error
    # TensorBoard itself hides what the earlier part of the run wrote from this step on.
    purge_step = None if resumed_step is None else resumed_step + 1
    return SummaryWriter(str(run / "tensorboard"), purge_step=purge_step)


def _open_wandb(run: Path, project: str) -> Any:
    """The run at W&B, found again by the id in the run's folder; steps that it already has are not written there twice."""
    try:
        import wandb
    except ImportError as error:
        raise TrainerError(f"wandb is asked for and not installed ({error}); pip install 'kotokura[wandb]'") from error
    id_file = run / WANDB_ID_FILE
    try:
        if not id_file.exists():
            id_file.write_text(uuid.uuid4().hex, encoding="utf-8")
        name = id_file.read_text(encoding="utf-8")
        return wandb.init(project=project, name=run.name, dir=str(run), id=name, resume="allow")
    except (OSError, wandb.Error) as error:
        raise TrainerError(
            f"wandb project {project!r}: cannot be opened ({error}); run `wandb login`, set WANDB_MODE=offline, or leave it out"
        ) from error
