"""The names of all files in a corpus folder, relative to the folder, and the list of its parts.

`{part}` in a name is a placeholder for a part (`part-00000`), as in the names that stages read and write.
"""

from pathlib import Path

DUPLICATES = "duplicates.parquet"
HOST_COUNTS = "host_counts.parquet"
ORDER = "order.parquet"
REMOVALS = "removals.parquet"
REMOVED_COPIES = "removed_copies.parquet"
MANIFEST = "manifest.yaml"
TOKENS = "tokens"
TOKENIZER = "tokens/tokenizer"


def documents(part: str = "{part}") -> str:
    """The extracted texts."""
    return f"documents/{part}.parquet"


def features(part: str = "{part}") -> str:
    """The measured numbers of each document."""
    return f"features/{part}.parquet"


def token_counts(part: str = "{part}") -> str:
    """The number of tokens of each text as extracted."""
    return f"token_counts/{part}.parquet"


def signatures(part: str = "{part}") -> str:
    """The MinHash signatures."""
    return f"signatures/{part}.parquet"


def encoded(part: str = "{part}") -> str:
    """The tokens of the final texts, in input order."""
    return f"encoded/{part}.arrow"


def verdicts(stage: str, part: str = "{part}") -> str:
    """A stage's verdict on each document that reached it (extract: on each record)."""
    return f"verdicts/{stage}/{part}.parquet"


def edits(stage: str, part: str = "{part}") -> str:
    """A stage's edits to the texts that it keeps."""
    return f"edits/{stage}/{part}.parquet"


def survivors_name(stage: str, part: str = "{part}") -> str:
    """The name, in keys, of the documents of a part that a stage keeps; it is not a file."""
    return f"survivors/{stage}/{part}"


def parts(root: Path) -> list[str]:
    """The sorted names of the parts of the corpus in `root`: those with verdicts of any stage or measured numbers."""
    return sorted({path.stem for folder in ("features", "verdicts/*") for path in root.glob(f"{folder}/*.parquet")})
