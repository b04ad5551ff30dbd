"""How accurate the pipeline's decisions are, in one table: a row per subject and program, all on the same data in the same run.

    python -m benchmarks.accuracy --shared ../shared [--only language]

The folder `shared` holds `corpus/` (real pages with labels and exact similarities). Each subject is a module, which says how
it measures. Peers are installed in an environment of their own (`benchmarks/requirements/peers.txt`); a peer that is not
installed gets a row that says so. `benchmarks/main_text/__main__.py` compares main text with human ground truth.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console

from benchmarks.accuracy import duplicates as accuracy_duplicates
from benchmarks.accuracy import encodings as accuracy_encodings
from benchmarks.accuracy import language as accuracy_language
from benchmarks.accuracy import personal_data as accuracy_personal_data
from benchmarks.accuracy import rules as accuracy_rules
from benchmarks.accuracy.table import Row, table_of

SUBJECTS: dict[str, Callable[[Path], Iterator[Row]]] = {
    "encodings": accuracy_encodings.rows,
    "language": accuracy_language.rows,
    "rules": accuracy_rules.rows,
    "duplicates": accuracy_duplicates.rows,
    "personal_data": accuracy_personal_data.rows,
}


def main() -> None:
    """Measure the subjects named on the command line and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True, help="the folder that holds corpus/")
    parser.add_argument("--only", choices=SUBJECTS, action="append", help="one subject; may be given more than once")
    arguments = parser.parse_args()
    labels = arguments.shared / "corpus" / "LABELS.parquet"
    if not labels.is_file():
        parser.error(f"--shared {arguments.shared}: {labels} is missing; name the folder that holds corpus/")
    rows = [row for name in arguments.only or SUBJECTS for row in SUBJECTS[name](arguments.shared)]
    Console().print(table_of(rows))


if __name__ == "__main__":
    main()
