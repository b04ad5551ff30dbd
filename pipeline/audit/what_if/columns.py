"""The stored columns that `what-if` judges again, as arrays, without texts.

The tables of a part hold the same documents in the same order; the verdicts of a stage cover the documents that the previous
stage kept. The units write them like this, and the ids are checked here, so an answer never combines rows of different
documents.

Shapes: D documents of a part; N pages of all parts that quality keeps at present or would keep.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.corpus import layout
from pipeline.corpus.columns import check_ids, numbers, stored
from pipeline.errors import UserError

# The numbers that `dedup` prefers a page by and `hosts` sums over the pages of a host.
PAGE_NUMBERS = ("num_letters", "num_ng_letters_not_allowed", "has_dating_expression")


class WhatIfError(UserError):
    """The question cannot be answered from this corpus; the message says why and what to do."""


@dataclass(frozen=True)
class Part:
    """The documents of one part, in the order of the input.

    n_chars and n_tokens: of the texts as extracted. passed: how many of the judging stages after extract keep the document at
    present. sizes: per stage that edits texts, the characters and tokens after it, 0 if a document did not reach it. failed: per
    document, the rules of quality that it broke.
    """

    name: str
    doc_id: pa.StringArray
    n_chars: npt.NDArray[np.int64]  # int64 (D,)
    n_tokens: npt.NDArray[np.int64]  # int64 (D,)
    measured: Mapping[str, npt.NDArray[Any]]  # each (D,); includes PAGE_NUMBERS
    passed: npt.NDArray[np.int8]  # int8 (D,)
    sizes: Mapping[str, npt.NDArray[np.int64]]  # each int64 (D, 2)
    failed: pa.ListArray


@dataclass(frozen=True)
class Pages:
    """The pages of all parts that quality keeps at present or would keep, with the columns of `Part` and the place of each.

    starts: int64 (parts + 1,), where the pages of each part begin. row: int32 (N,), the page's row in its part. first: per
    alternative int16 (N,), the index of the first rule of quality that drops the page, or the number of rules if none does.
    """

    parts: tuple[str, ...]
    starts: npt.NDArray[np.int64]
    row: npt.NDArray[np.int32]
    doc_id: pa.ChunkedArray
    n_chars: npt.NDArray[np.int64]
    n_tokens: npt.NDArray[np.int64]
    page_numbers: Mapping[str, npt.NDArray[Any]]
    passed: npt.NDArray[np.int8]
    sizes: Mapping[str, npt.NDArray[np.int64]]
    first: Sequence[npt.NDArray[np.int16]]

    @classmethod
    def of(cls, part: Part, rows: npt.NDArray[np.int64], first: Sequence[npt.NDArray[np.int16]]) -> "Pages":
        """The documents of a part at `rows`, int64."""
        return cls(
            parts=(part.name,),
            starts=np.array([0, len(rows)]),
            row=rows.astype(np.int32),
            doc_id=pa.chunked_array([part.doc_id.take(pa.array(rows))]),
            n_chars=part.n_chars[rows],
            n_tokens=part.n_tokens[rows],
            page_numbers={name: part.measured[name][rows] for name in PAGE_NUMBERS},
            passed=part.passed[rows],
            sizes={stage: of_stage[rows] for stage, of_stage in part.sizes.items()},
            first=[each[rows] for each in first],
        )

    @classmethod
    def joined(cls, found: Sequence["Pages"]) -> "Pages":
        """The pages of all of `found` (at least one), concatenated."""
        return cls(
            parts=tuple(part for pages in found for part in pages.parts),
            starts=np.cumsum([0, *(len(pages.row) for pages in found)]),
            row=np.concatenate([pages.row for pages in found]),
            doc_id=pa.chunked_array([chunk for pages in found for chunk in pages.doc_id.chunks], pa.string()),
            n_chars=np.concatenate([pages.n_chars for pages in found]),
            n_tokens=np.concatenate([pages.n_tokens for pages in found]),
            page_numbers={name: np.concatenate([pages.page_numbers[name] for pages in found]) for name in PAGE_NUMBERS},
            passed=np.concatenate([pages.passed for pages in found]),
            sizes={stage: np.concatenate([pages.sizes[stage] for pages in found]) for stage in found[0].sizes},
            first=[np.concatenate(of_alternative) for of_alternative in zip(*(pages.first for pages in found), strict=True)],
        )

    def of_part(self, number: int) -> slice:
        """The indices of the pages of part `number`."""
        return slice(int(self.starts[number]), int(self.starts[number + 1]))


def parts_of(root: Path, stages: Sequence[str]) -> tuple[str, ...]:
    """The parts of the corpus. Raises WhatIfError if there are none, or if a stage lacks one of them."""
    parts = tuple(layout.parts(root))
    if not parts:
        raise WhatIfError(f"{root} holds no documents yet; `run` a manifest with this output first")
    files = [layout.documents, layout.features, layout.token_counts, layout.signatures]
    names = [*(file() for file in files), *(layout.verdicts(stage) for stage in stages)]
    for name in (name.format(part=part) for name in names for part in parts):
        if not (root / name).exists():
            raise WhatIfError(f"{root} is not built to the end: {name} is missing; `run` its manifest again first")
    return parts


def read_part(root: Path, part: str, stages: Sequence[str], columns: Sequence[str]) -> Part:
    """The columns of one part: sizes, the verdicts of the judging `stages` (quality first), and the measured `columns`.

    Raises StaleCorpusError if a column was never measured, or if the tables do not hold the same documents.
    """
    wanted = sorted({"n_chars", *PAGE_NUMBERS, *columns})
    features = stored(root, layout.features(part), ["doc_id", *wanted])
    doc_id = features["doc_id"].combine_chunks()
    counted = stored(root, layout.token_counts(part), ["doc_id", "n_tokens"])
    check_ids(root, layout.token_counts(part), counted["doc_id"], doc_id)

    failed = stored(root, layout.verdicts(stages[0], part), ["failed"])["failed"].combine_chunks()
    passed = np.zeros(len(doc_id), dtype=np.int8)
    reached = np.arange(len(doc_id))
    sizes = {}
    for number, stage in enumerate(stages):
        name = layout.verdicts(stage, part)
        verdicts = stored(root, name, ["doc_id", "kept"], optional=["n_chars", "n_tokens"])
        check_ids(root, name, verdicts["doc_id"], doc_id.take(pa.array(reached)) if number else doc_id)
        if "n_chars" in verdicts.column_names:
            sizes[stage] = np.zeros((len(doc_id), 2), dtype=np.int64)
            sizes[stage][reached] = np.stack([verdicts[column].to_numpy() for column in ("n_chars", "n_tokens")], axis=1)
        reached = reached[verdicts["kept"].to_numpy()]
        passed[reached] = number + 1
    measured = numbers(features, wanted)
    n_chars = measured["n_chars"].astype(np.int64)
    return Part(part, doc_id, n_chars, counted["n_tokens"].to_numpy(), measured, passed, sizes, failed)
