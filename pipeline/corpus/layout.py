"""Where everything in a corpus folder is: names relative to the folder, and the parts that are there.

`{part}` in a name stands for a part (`part-00000`), as in what stages read and write.
"""

from pathlib import Path

DUPLICATES = "duplicates.parquet"
HOST_COUNTS = "host_counts.parquet"
ORDER = "order.parquet"
REMOVALS = "removals.parquet"
MANIFEST = "manifest.yaml"
TOKENS = "tokens"
TOKENIZER = "tokens/tokenizer"


def documents(part: str = "{part}") -> str:
    """The extracted texts."""
    return f"documents/{part}.parquet"


def features(part: str = "{part}") -> str:
    """The measured numbers."""
    return f"features/{part}.parquet"


def token_counts(part: str = "{part}") -> str:
    """The tokens of each text as extracted."""
    return f"token_counts/{part}.parquet"


def signatures(part: str = "{part}") -> str:
    """The MinHash signatures."""
    return f"signatures/{part}.parquet"


def encoded(part: str = "{part}") -> str:
    """The tokens of the final texts, in the order of the input."""
    return f"encoded/{part}.arrow"


def verdicts(stage: str, part: str = "{part}") -> str:
    """What a stage says of each document that reached it (extract: of each record)."""
    return f"verdicts/{stage}/{part}.parquet"


def edits(stage: str, part: str = "{part}") -> str:
    """What a stage changes in the texts that it keeps."""
    return f"edits/{stage}/{part}.parquet"


def survivors_name(stage: str, part: str = "{part}") -> str:
    """The name, in keys, of the documents of a part that a stage keeps; no file."""
    return f"survivors/{stage}/{part}"


def parts(root: Path) -> list[str]:
    """The parts that the corpus in `root` has records of, in their order: those with verdicts of any stage, or numbers."""
    return sorted({path.stem for folder in ("features", "verdicts/*") for path in root.glob(f"{folder}/*.parquet")})
