"""Small runs of the command, in this process."""

from pathlib import Path

from click.testing import CliRunner

from tests.trainer.conftest import random_documents, write_token_dataset
from tests.trainer.tokenizers import byte_tokenizer
from trainer.pretrain import main
from trainer.record.metrics import read_metrics

# Flags of a run that only trains.
QUIET = ["--validate-every", "0", "--sample-every", "0"]
SHAPE = """
vocabulary_size: 300
context_length: 16
width: 16
layers: 2
heads: 2
key_value_heads: 1
feed_forward_width: 32
dropout: 0.1
"""


def write_tokenized(folder: Path, documents: list[list[int]]) -> Path:
    """Write a dataset of two training shards of `documents` and ten validation documents, with its tokenizer."""
    tokenizer = byte_tokenizer()
    half = len(documents) // 2
    write_token_dataset(
        folder,
        {"train": [documents[:half], documents[half:]], "val": [random_documents(10, seed=1, vocabulary=256)]},
        vocabulary=tokenizer.vocabulary_size,
        tokenizer_sha256=tokenizer.digest,
        delimiter_id=tokenizer.delimiter_id,
    )
    tokenizer.save(folder / "tokenizer")
    return folder


def arguments(shards: Path, run: Path, *more: str) -> list[str]:
    """The flags of a run of 20 steps with dropout, validated twice and saved every 5 steps."""
    lengths = [
        "--steps",
        "20",
        "--batch-size",
        "4",
        "--schedule-warmup-steps",
        "5",
        "--validate-every",
        "10",
        "--save-every",
        "5",
    ]
    model = str(shards.parent / "shape.yaml")
    return ["--shards", str(shards), "--model", model, "--output", str(run), *lengths, "--sample-every", "0", *more]


def pretrain(*options: str) -> None:
    """Run the command in this process; it must succeed."""
    result = CliRunner().invoke(main, list(options))
    assert result.exit_code == 0, result.output


def refused(*options: str) -> str:
    """Run the command in this process; it must fail with one line, which is returned."""
    result = CliRunner().invoke(main, list(options))
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    return result.output.strip().splitlines()[-1]


def losses(run: Path) -> dict[int, float]:
    """The training loss of every step; each must be recorded once."""
    rows = [row for row in read_metrics(run) if row["kind"] == "train"]
    found = {row["step"]: row["loss"] for row in rows}
    assert len(found) == len(rows)
    return found
