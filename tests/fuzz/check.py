"""Reads and extracts an input, and says what must not be: an exception, a lost record, too much time or memory."""

import random
import resource
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import UserError
from pipeline.extract.config import ExtractConfig
from pipeline.extract.stage import extract
from pipeline.extract.warm_up import make_ready
from pipeline.inputs.formats import read_records
from pipeline.inputs.record import Record, Source
from tests.fuzz.damage import ADVERSARIES, damaged
from tests.fuzz.valid import MAKERS

MAX_SECONDS = 20.0  # of computing, on a machine that does other things too; the slowest input seen took 4
MAX_MEGABYTES = 1500  # more than before
ADVERSARY_SHARE = 0.04


class Found(NamedTuple):
    """What came of one input: its name, the records, the seconds, and complaints."""

    path: Path
    records: int
    documents: int
    seconds: float
    complaints: list[str]


def check_input(folder: Path, seed: int, size: int) -> Found:
    """Make the input number `seed`, write it to `folder`, read and extract it. `size`: of what an adversary would write."""
    chance = random.Random(seed)
    must: list[str] = []
    if chance.random() < ADVERSARY_SHARE:
        suffix, make = chance.choice(ADVERSARIES)
        content = make(size)
    else:
        made = chance.choice(MAKERS)(chance)
        suffix = made.suffix
        content, first, last = damaged(chance, made)
        if made.apart:  # beside the damage, one more piece on each side may merge with the damaged one
            must = made.names[: max(0, first - 1)] + made.names[last + 2 :]
        if suffix.startswith(".csv") and first <= 1:
            must = []  # the names of the columns may be lost
    path = folder / f"{seed}{suffix}"
    path.write_bytes(content)
    return read_and_extract(path, must)


def read_and_extract(path: Path, must: list[str]) -> Found:
    """Read and extract a file; each of the names in `must` has to be in the text of a document."""
    make_ready(ExtractConfig().extractor)  # compiling is no work for this input
    complaints: list[str] = []
    before = resource.getrusage(resource.RUSAGE_SELF)
    began = time.process_time()
    records = documents = 0
    texts: list[str] = []
    try:
        config = ExtractConfig()
        given = read_records(Source(str(path), 0, -1, ""), config.max_page_bytes, max_text_bytes=config.max_text_bytes)
        counted = _Counted(given)
        for batch in extract(counted, path.name, config, {}, lambda ordinal: None, 1000):
            verdicts = batch.verdicts.to_pylist()
            records += len(verdicts)
            documents += batch.documents.num_rows
            texts += batch.documents["text"].to_pylist()
            if sum(verdict["kept"] for verdict in verdicts) != batch.documents.num_rows:
                complaints.append("a record has neither a document nor a verdict")
        if counted.number != records:
            complaints.append(f"{counted.number} records were read and {records} have a verdict")
    except UserError as error:
        if must or "\n" in str(error):
            complaints.append(f"the input ended: {error}")
    except Exception:  # noqa: BLE001  whatever it is, it is what is looked for
        complaints.append(traceback.format_exc())
    whole = "\n".join(texts)
    complaints += [f"{name} is lost" for name in must if name not in whole]
    seconds = time.process_time() - began
    megabytes = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before.ru_maxrss) >> 10
    if seconds > MAX_SECONDS:
        complaints.append(f"it took {seconds:.1f} s")
    if megabytes > MAX_MEGABYTES:
        complaints.append(f"it took {megabytes} MB")
    return Found(path, records, documents, seconds, complaints)


class _Counted(Iterator[Record]):
    """Records, counted."""

    def __init__(self, records: Iterator[Record]) -> None:
        self._records = records
        self.number = 0

    def __next__(self) -> Record:
        record = next(self._records)
        self.number += 1
        return record
