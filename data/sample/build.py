"""Pack the sample: pages/*.yaml -> sample-*.warc.gz and expected.tsv, always with the same bytes.

python data/sample/build.py [--output FOLDER]
"""

import argparse
import csv
import gzip
import io
from pathlib import Path
from typing import BinaryIO

from fastwarc.warc import WarcRecord
from records import record_of, warcinfo
from sites import Capture, Expectation, read_captures

# Several files, so that a run on the sample has work for more than one worker.
CAPTURES_PER_FILE = 50
COLUMNS = [
    "file",
    "record_id",
    "type",
    "url",
    "stage",
    "rule",
    "also",
    "survivor",
    "edits",
    "personal_data",
    "contains",
]


def build(output: Path) -> None:
    """Write the WARC files and the table of expectations into the folder `output`, which must exist.

    The captures are in the order in which they were crawled, as in a real crawl, so that the pages of a site and the
    members of a cluster of duplicates are in different files.
    """
    captures = read_captures()
    rows = []
    for number, start in enumerate(range(0, len(captures), CAPTURES_PER_FILE)):
        rows += _write_file(output / f"sample-{number:05}.warc.gz", captures[start : start + CAPTURES_PER_FILE])
    with (output / "expected.tsv").open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, COLUMNS, delimiter="\t", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def _write_file(path: Path, captures: list[Capture]) -> list[dict[str, str]]:
    """Write one WARC file, one gzip member per record; returns one row of the table per record."""
    rows = []
    with path.open("wb") as stream:
        info = warcinfo(path.name, captures[0].page.date)
        _write_member(stream, info)
        rows.append(_row(path.name, info, "", Expectation(stage="extract", rule="not_a_page")))
        for capture in captures:
            page = capture.page
            fates = [page.expect]
            if page.record == "twice":
                fates.append(Expectation(stage="extract", rule="same_record"))
            for fate in fates:
                record = record_of(capture)
                _write_member(stream, record)
                row = _row(path.name, record, capture.url, fate)
                if fate.stage == "kept":
                    row["edits"] = ",".join(page.edits)
                    row["personal_data"] = ",".join(f"{kind}={count}" for kind, count in sorted(page.personal_data.items()))
                    row["contains"] = "|".join(page.contains)
                rows.append(row)
    return rows


def _write_member(stream: BinaryIO, record: WarcRecord) -> None:
    plain = io.BytesIO()
    record.write(plain, checksum_data=True)
    stream.write(gzip.compress(plain.getvalue(), mtime=0))


def _row(file: str, record: WarcRecord, url: str, fate: Expectation) -> dict[str, str]:
    return {
        "file": file,
        "record_id": str(record.record_id),
        "type": str(record.record_type),
        "url": url,
        "stage": fate.stage,
        "rule": fate.rule,
        "also": ",".join(fate.also),
        "survivor": fate.survivor,
    }


def main() -> None:
    """Build into the folder of this script, or into the folder that `--output` names."""
    parser = argparse.ArgumentParser(description="Pack the bundled sample.")
    parser.add_argument("--output", type=Path, default=Path(__file__).resolve().parent)
    build(parser.parse_args().output)


if __name__ == "__main__":
    main()
