"""The metrics of a run: `RUN/metrics.jsonl`, and optionally TensorBoard and Weights & Biases.

`metrics.jsonl` is the record, one flat JSON object per line. Every row has `step`, the optimizer steps taken, `tokens`, the
targets trained on so far, and `kind`, which determines its other keys:

- `train`: `loss` in nats per token, `bits_per_byte`, `learning_rate`, `gradient_norm`, `tokens_per_second`, `peak_share`
  (of the measured matrix-product peak, 0 to 1), `seconds` per step, `skipped` (whether its loss or gradient was not finite);
- `validation`: one row per `source`, with `loss`, `bits_per_byte`, `bits_per_character` and `perplexity`;
- `sample`: `prompt` and `text`.

A number that is not finite is null, as JSON has no other notation for it. DuckDB reads the file by `read_json('metrics.jsonl')`;
it infers the columns from the first 20,480 rows, so a run that validates less often needs `sample_size = -1` too.

A resumed run goes back to its checkpoint. Rows after that step are dropped when the file is opened, so that each step occurs
once.
"""

import json
import math
import uuid
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pipeline.files import replacing
from trainer.errors import TrainerError

METRICS_FILE = "metrics.jsonl"
WANDB_ID_FILE = "wandb_id"

# Steps over which speed is averaged: enough to even out document lengths, few enough to show changes within minutes.
RECENT_STEPS = 20

Value = float | int | str | None
Row = Mapping[str, Value]


class Speed:
    """Tokens per second of training over the last `RECENT_STEPS` steps."""

    def __init__(self) -> None:
        self._recent: deque[tuple[int, float]] = deque(maxlen=RECENT_STEPS)

    def add(self, tokens: int, seconds: float) -> None:
        """Add a step over `tokens` that took `seconds`, without validation and saving."""
        self._recent.append((tokens, seconds))

    @property
    def tokens_per_second(self) -> float:
        """The average speed; 0 before the first step."""
        seconds = sum(seconds for _, seconds in self._recent)
        return sum(tokens for tokens, _ in self._recent) / seconds if seconds else 0.0


class Metrics:
    """Writes the rows of one run. Only one process of a run may have it."""

    def __init__(
        self,
        run: Path,
        tensorboard: bool,
        wandb_project: str | None,
        resumed_step: int | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Open the record in the existing folder `run`.

        tensorboard: write `RUN/tensorboard` too. wandb_project: the project of Weights & Biases to write to, or None.
        resumed_step: of the checkpoint to resume from, 0 if the run has none yet; None for a new run. labels: what TensorBoard
        and W&B call a source, if not by its name. Raises TrainerError if the file cannot be written, if it has rows of another
        run, and if a required package is not installed.
        """
        self.path = run / METRICS_FILE
        self._run, self._resumed_step, self._labels = run, resumed_step, labels or {}
        kept = self.path.stat().st_size if self.path.exists() else 0
        if resumed_step is None and kept:
            raise TrainerError(f"{self.path} belongs to another run; choose another --output, or --resume to continue it")
        # Before the file is changed, so that a missing package loses nothing. Files are opened with the first row, so that a
        # start that writes none leaves none.
        self._writer = _tensorboard_writer() if tensorboard else None
        self._tensorboard: Any = None
        self._wandb = _open_wandb(run, wandb_project) if wandb_project is not None else None
        try:
            if kept:
                _rewrite(self.path, [row for row in read_metrics(run) if row["step"] <= resumed_step])
            # Unbuffered: a row is one write, so a killed run leaves at most one incomplete line.
            self._stream = self.path.open("ab", buffering=0)
        except OSError as error:
            raise self._unwritable(error) from error

    def write(self, row: Row) -> None:
        """Append `row`, which has step, tokens and kind. Raises TrainerError if the file cannot be written."""
        line = _line(row)
        try:
            written = self._stream.write(line)
        except OSError as error:
            raise self._unwritable(error) from error
        if written != len(line):
            raise self._unwritable(f"{written} of {len(line)} bytes written")
        self._write_beside(row)

    def close(self) -> None:
        """Close all files and finish the run at W&B."""
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
        """Write the finite numbers of `row` as kind/name, or kind/source/name for rows of a source."""
        source = row.get("source")
        labels = [str(row["kind"])] + ([] if source is None else [self._labels.get(str(source), str(source))])
        prefix = "/".join(labels)
        numbers = {f"{prefix}/{name}": value for name, value in row.items() if name != "step" and _is_number(value)}
        step = row["step"]
        if self._writer is not None and self._tensorboard is None:
            # TensorBoard hides the rows from this step on that the run wrote before it was resumed.
            purge_step = None if self._resumed_step is None else self._resumed_step + 1
            self._tensorboard = self._writer(str(self._run / "tensorboard"), purge_step=purge_step)
        if self._tensorboard is not None:
            for name, value in numbers.items():
                self._tensorboard.add_scalar(name, value, step)
        if self._wandb is not None and numbers:
            self._wandb.log(numbers, step=step)

    def _unwritable(self, reason: object) -> TrainerError:
        return TrainerError(f"{self.path}: cannot be written ({reason}); free disk space, then use --resume")


def read_metrics(run: Path) -> list[dict[str, Any]]:
    """Return the rows of `RUN/metrics.jsonl`, in order, without an incomplete last line as a killed run leaves it.

    Raises TrainerError if the file is missing, or another line is not a row.
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
            raise TrainerError(f"{path}: line {number} is not a row of metrics ({error!r}); remove the line") from error
    return rows


def _line(row: Row) -> bytes:
    finite = {name: value if not isinstance(value, float) or math.isfinite(value) else None for name, value in row.items()}
    return (json.dumps(finite, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _rewrite(path: Path, rows: list[dict[str, Any]]) -> None:
    """Replace the file at `path` by `rows`, atomically."""
    with replacing(path) as temporary, temporary.open("wb") as stream:
        stream.writelines(map(_line, rows))


def _tensorboard_writer() -> Any:
    try:
        # Imported here: it takes a second, which other runs need not wait.
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise TrainerError(
            f"tensorboard is not installed ({error}); in the folder of the source: pip install -e '.[train]'"
        ) from error
    return SummaryWriter


def _open_wandb(run: Path, project: str) -> Any:
    """Return the run at W&B, identified by the id in the run's folder; W&B ignores steps that it already has."""
    try:
        import wandb
    except ImportError as error:
        raise TrainerError(f"wandb is not installed ({error}); in the folder of the source: pip install -e '.[wandb]'") from error
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
