"""Cleaning and personal data: the stages `clean` and `pii` together, compared with the telephone matcher of phonenumbers alone.

    python -m benchmarks.personal_data --shared ../shared

The project looks for everything that the two stages look for, the matcher only for Japanese telephone numbers.
`benchmarks/accuracy/__main__.py` has a row for the accuracy of both.
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

TEXTS = 300  # the matcher needs some seconds for that many
CLEAN, PII = CleanConfig(), PiiConfig()


def look_through(texts: list[str]) -> None:
    """Run both stages as the pipeline calls them."""
    find_edits_batch(texts, CLEAN, [False] * len(texts))
    find_personal_data_batch(texts, PII)


def match_numbers(texts: list[str]) -> None:
    """Run the matcher on one text after the other."""
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
