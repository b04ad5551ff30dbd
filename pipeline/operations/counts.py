"""What goes into and out of each stage, counted from the verdicts and sizes on disk and never summed during a run.

Every run that did something counts again, so the tables describe the corpus and not a sum over runs, and `check` raises an error
if a document is neither kept nor dropped. Counting goes part by part, because all rows of a document are in one part: it takes
time in proportion to the corpus, and the memory of one part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.corpus import layout
from pipeline.corpus.columns import read
from pipeline.corpus.ledger import Ledger, LedgerError
from pipeline.corpus.views import create_views
from pipeline.editing import SIZES
from pipeline.flow import COUNTED, EDITING, JUDGING, SECONDS_OF

# The columns that are read, and their types.
_TYPES = pa.schema(
    [
        ("doc_id", pa.string()),
        ("kept", pa.bool_()),
        ("rule", pa.string()),
        ("threshold", pa.float64()),
        ("record_bytes", pa.int64()),
        *((name, pa.int64()) for name in SIZES),
    ]
)
# The counted stage after all judging stages: what is in the shards.
_LAST = COUNTED[-1]
_VERDICT = ("doc_id", "kept", "rule", "threshold")


@dataclass
class _Sums:
    """What went into and out of a stage, in the order of the ledger's columns; a sum of nothing is None, as in SQL."""

    docs_in: int = 0
    docs_out: int = 0
    chars_in: int | None = None
    chars_out: int | None = None
    bytes_in: int | None = None
    bytes_out: int | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None

    def add(self, side: Literal["in", "out"], docs: int, sizes: pa.Table) -> None:
        """Add `docs` documents on one side, and their known sizes: a column per unit (n_chars, n_bytes, n_tokens)."""
        setattr(self, f"docs_{side}", getattr(self, f"docs_{side}") + docs)
        for column in sizes.column_names:
            name = f"{column.removeprefix('n_')}_{side}"
            setattr(self, name, _plus(getattr(self, name), pc.sum(sizes[column]).as_py()))


@dataclass
class _Drops:
    """Documents that a rule was the first to drop, and their sizes before its stage."""

    docs: int = 0
    chars: int | None = None
    tokens: int | None = None


@dataclass
class _Stage:
    """The counts of a stage, with its drops per rule and threshold."""

    sums: _Sums = field(default_factory=_Sums)
    drops: dict[tuple[str, float | None], _Drops] = field(default_factory=dict)

    def add_drops(self, verdicts: pa.Table, sizes: pa.Table) -> None:
        """Add the rows of `verdicts` that are not kept; `sizes` has the same documents in the same order."""
        columns = {"rule": verdicts["rule"], "threshold": verdicts["threshold"]}
        columns |= {"chars": sizes["n_chars"], "tokens": sizes["n_tokens"]}
        dropped = pa.table(columns).filter(pc.invert(verdicts["kept"]))
        sums = dropped.group_by(["rule", "threshold"]).aggregate([([], "count_all"), ("chars", "sum"), ("tokens", "sum")])
        for row in sums.to_pylist():
            drops = self.drops.setdefault((row["rule"], row["threshold"]), _Drops())
            drops.docs += row["count_all"]
            drops.chars = _plus(drops.chars, row["chars_sum"])
            drops.tokens = _plus(drops.tokens, row["tokens_sum"])


def refresh(ledger: Ledger, run_id: str, changed: bool) -> None:
    """Count the corpus again if something `changed`, or if it was never counted, and replace the tables of counts."""
    create_views(ledger)
    if not changed and ledger.rows("SELECT 1 FROM stage_counts LIMIT 1"):
        return
    stages = {stage: _Stage() for stage in COUNTED}
    for part in layout.parts(ledger.root):
        _add_part(ledger.root, part, stages)
    # An empty corpus has 0 characters and bytes, but its number of tokens is unknown until there is a tokenizer.
    extracted = stages[JUDGING[0]].sums
    extracted.chars_out, extracted.bytes_in, extracted.bytes_out = (
        number or 0 for number in (extracted.chars_out, extracted.bytes_in, extracted.bytes_out)
    )
    _add_shards(ledger, stages[_LAST].sums)
    seconds = dict(ledger.rows("SELECT stage, sum(seconds) FROM units GROUP BY stage"))
    stage_rows: list[tuple[object, ...]] = []
    rule_rows: list[tuple[object, ...]] = []
    for ordinal, (name, stage) in enumerate(stages.items()):
        spent = sum(seconds.get(unit, 0.0) for unit in SECONDS_OF[name])
        stage_rows.append((run_id, name, ordinal, *astuple(stage.sums), spent))
        most_first = sorted(stage.drops.items(), key=lambda drop: (-drop[1].docs, drop[0][0], drop[0][1] or 0.0))
        rule_rows += [(run_id, name, *rule, *astuple(drops)) for rule, drops in most_first]
    ledger.replace_rows("stage_counts", stage_rows)
    ledger.replace_rows("rule_counts", rule_rows)


def _add_part(root: Path, part: str, stages: Mapping[str, _Stage]) -> None:
    """Add what the files of a part hold; a missing file counts as empty."""
    first, *later = JUDGING
    sizes = _extracted_sizes(root, part)
    _add_records(root, part, sizes, stages[first])
    left = sizes.select(SIZES)
    for stage in later:
        changes_texts = stage in EDITING
        verdicts = _rows(root, layout.verdicts(stage, part), (*_VERDICT, *(SIZES if changes_texts else ())))
        before = _of(sizes, verdicts["doc_id"])
        after = verdicts.select(SIZES) if changes_texts else before
        if changes_texts:
            sizes = verdicts.select(["doc_id", *SIZES])
        stages[stage].sums.add("in", verdicts.num_rows, before)
        left = after.filter(verdicts["kept"])
        stages[stage].sums.add("out", left.num_rows, left)
        stages[stage].add_drops(verdicts, before)
    stages[_LAST].sums.add("in", left.num_rows, left)


def _add_records(root: Path, part: str, sizes: pa.Table, extract: _Stage) -> None:
    """Add the records of a part, which go into extract; of their sizes only bytes are known."""
    records = _rows(root, layout.verdicts(JUDGING[0], part), ("kept", "rule", "threshold", "record_bytes"))
    extract.sums.add("in", records.num_rows, pa.table({"n_bytes": records["record_bytes"]}))
    extract.sums.add("out", pc.sum(records["kept"]).as_py() or 0, sizes.select(SIZES))
    unknown = pa.nulls(records.num_rows, pa.int64())
    extract.add_drops(records, pa.table({"n_chars": unknown, "n_tokens": unknown}))


def _add_shards(ledger: Ledger, tokenize: _Sums) -> None:
    """Add the output of tokenize: documents and tokens as written to the shards, characters and bytes as they came in."""
    tokenize.docs_out, tokenize.tokens_out = ledger.rows(
        "SELECT coalesce(sum(documents), 0)::BIGINT, coalesce(sum(tokens), 0)::BIGINT FROM token_shards"
    )[0]
    tokenize.chars_out, tokenize.bytes_out = tokenize.chars_in, tokenize.bytes_in


def _extracted_sizes(root: Path, part: str) -> pa.Table:
    """doc_id and sizes of the texts of a part as extracted; tokens are null if they are not counted yet."""
    measured = _rows(root, layout.features(part), ("doc_id", "n_chars", "n_bytes"))
    counted = _rows(root, layout.token_counts(part), ("doc_id", "n_tokens"))
    tokens = _of(counted, measured["doc_id"])["n_tokens"]
    return measured.append_column("n_tokens", tokens)


def _of(sizes: pa.Table, doc_ids: pa.ChunkedArray) -> pa.Table:
    """The sizes of documents, in the order of `doc_ids`; null if a document has none."""
    index = pc.index_in(doc_ids, value_set=sizes["doc_id"].combine_chunks())
    return sizes.drop_columns("doc_id").take(index)


def _rows(root: Path, name: str, columns: Sequence[str]) -> pa.Table:
    """The columns of a file of a part; no rows if the file is missing."""
    schema = pa.schema([_TYPES.field(column) for column in columns])
    return read(root, name, columns).cast(schema) if (root / name).exists() else schema.empty_table()


def _plus(total: int | None, more: int | None) -> int | None:
    return total if more is None else (total or 0) + more


def check(ledger: Ledger, whole: bool) -> None:
    """Check that no document is lost: a stage keeps or drops each one, and what it keeps goes into the next stage.

    whole: the run reached the end without a failed unit; otherwise nothing is checked, because documents may be missing.
    Raises LedgerError if a document or a token is lost.
    """
    dropped = dict(ledger.rows("SELECT stage, sum(docs)::BIGINT FROM rule_counts GROUP BY stage"))
    before: tuple[str, int, int] | None = None
    query = "SELECT stage, docs_in, docs_out, coalesce(tokens_in, 0), coalesce(tokens_out, 0) FROM stage_counts ORDER BY ordinal"
    for stage, docs_in, docs_out, tokens_in, tokens_out in ledger.rows(query):
        if whole and docs_in != docs_out + dropped.get(stage, 0):
            raise LedgerError(
                f"stage {stage} lost pages: {docs_in} went in, {docs_out} came out and {dropped.get(stage, 0)} were dropped; "
                "this is a fault of the program, please report it with the ledger"
            )
        if whole and before is not None and (docs_in, tokens_in) != before[1:]:
            raise LedgerError(
                f"{before[1]} documents with {before[2]} tokens left {before[0]}, but {docs_in} with {tokens_in} reached "
                f"{stage}; this is a fault of the program, please report it with the ledger"
            )
        before = (stage, docs_out, tokens_out)
