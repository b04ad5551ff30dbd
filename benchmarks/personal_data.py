"""Cleaning and personal data: both stages beside the telephone matcher of phonenumbers alone.

    python -m benchmarks.personal_data --shared ../shared

The project looks for all that its stages `clean` and `pii` look for, the matcher for Japanese telephone numbers. How right
both are is a row of `benchmarks/accuracy/__main__.py`.
"""

import argparse
from pathlib import Path

import phonenumbers
import pyarrow.parquet as pq

from benchmarks.turns import compare
from pipeline.clean.config import CleanConfig
from pipeline.clean.stage import find_edits_batch
from pipeline.pii.config import PiiConfig
from pipeline.pii.stage import find_personal_data_batch

TEXTS = 300  # the matcher needs some seconds for as many
CLEAN, PII = CleanConfig(), PiiConfig()


def look_through(texts: list[str]) -> None:
    """Both stages as the pipeline calls them."""
    find_edits_batch(texts, CLEAN)
    find_personal_data_batch(texts, PII)


def match_numbers(texts: list[str]) -> None:
    """The matcher, text by text."""
    for text in texts:
        for _ in phonenumbers.PhoneNumberMatcher(text, "JP"):
            pass


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True, help="the folder that holds corpus/")
    stored = pq.read_table(parser.parse_args().shared / "corpus" / "JACCARD_TEXTS.parquet", columns=["text"])["text"]
    texts = stored.to_pylist()[:: max(1, len(stored) // TEXTS)]
    compare(
        "cleaning and personal data",
        "texts",
        len(texts),
        {"this project": lambda: look_through(texts), "phonenumbers' matcher alone": lambda: match_numbers(texts)},
    )


if __name__ == "__main__":
    main()
