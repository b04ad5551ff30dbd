"""What each stage took in and let out: counted from the verdicts and sizes that stand on disk, never summed on the way.

Every run that did something counts anew, so the tables hold the state of the corpus and not a sum over runs, and `check`
fails loudly when a document is neither kept nor dropped.
"""

from pipeline.flow import COUNTED
from pipeline.ledger import Ledger, LedgerError

# The size of each document on its way: as extracted, after cleaning, after masking. Tokens include the delimiter.
_SIZES = """
CREATE OR REPLACE TEMPORARY VIEW extracted_sizes AS
    SELECT part, doc_id, num_letters::BIGINT AS n_chars, n_bytes::BIGINT AS n_bytes, n_tokens FROM features
"""
_BEFORE = {
    "quality": "extracted_sizes",
    "dedup": "extracted_sizes",
    "hosts": "extracted_sizes",
    "clean": "extracted_sizes",
    "pii": "(SELECT part, doc_id, n_chars, n_bytes, n_tokens FROM stage_verdicts WHERE stage = 'clean')",
    "removals": "(SELECT part, doc_id, n_chars, n_bytes, n_tokens FROM stage_verdicts WHERE stage = 'pii')",
}
# Which stages of the flow a row of the counts stands for, as to seconds.
_WORK = {
    "extract": ("extract",),
    "quality": ("measure", "quality"),
    "dedup": ("signatures", "dedup"),
    "hosts": ("hosts",),
    "clean": ("clean",),
    "pii": ("pii",),
    "removals": ("removals",),
    "tokenize": ("tokenizer", "count", "encode", "order", "shards"),
}


def refresh(ledger: Ledger, run_id: str, changed: bool) -> None:
    """Count the corpus anew, when something `changed` or was never counted."""
    if not changed and ledger.rows("SELECT 1 FROM stage_counts LIMIT 1"):
        return
    ledger.create_views()
    ledger.connection.execute(_SIZES)
    seconds = dict(ledger.rows("SELECT stage, sum(seconds) FROM units GROUP BY stage"))
    stage_rows, rule_rows = [], []
    for ordinal, stage in enumerate(COUNTED):
        sums = _extract_sums(ledger) if stage == "extract" else _sums(ledger, stage)
        spent = sum(seconds.get(name, 0.0) for name in _WORK[stage])
        stage_rows.append((run_id, stage, ordinal, *sums, spent))
        rule_rows += [(run_id, stage, *row) for row in _rules(ledger, stage)]
    ledger.replace_rows("stage_counts", stage_rows)
    ledger.replace_rows("rule_counts", rule_rows)


def _extract_sums(ledger: Ledger) -> tuple[int | None, ...]:
    """docs, chars, bytes and tokens in and out of extract; what comes in is records, which have bytes alone."""
    records, record_bytes = ledger.rows("SELECT count(*), coalesce(sum(record_bytes), 0)::BIGINT FROM records")[0]
    kept = ledger.rows("SELECT count(*) FROM records WHERE kept")[0][0]
    sizes = "coalesce(sum(n_chars), 0)::BIGINT, coalesce(sum(n_bytes), 0)::BIGINT, sum(n_tokens)::BIGINT"
    chars, n_bytes, tokens = ledger.rows(f"SELECT {sizes} FROM extracted_sizes")[0]
    return (records, kept, None, chars, record_bytes, n_bytes, None, tokens)


def _sums(ledger: Ledger, stage: str) -> tuple[int | None, ...]:
    if stage == "tokenize":
        sums = "count(*), sum(n_chars)::BIGINT, sum(n_bytes)::BIGINT, sum(n_tokens)::BIGINT"
        docs, chars, n_bytes, tokens = ledger.rows(
            f"""
            SELECT {sums} FROM {_BEFORE["removals"]}
            JOIN (SELECT part, doc_id FROM stage_verdicts WHERE stage = 'removals' AND kept) USING (part, doc_id)
            """
        )[0]
        out = ledger.rows("SELECT coalesce(sum(documents), 0)::BIGINT, coalesce(sum(tokens), 0)::BIGINT FROM token_shards")
        return (docs, out[0][0], chars, chars, n_bytes, n_bytes, tokens, out[0][1])
    edited = stage in ("clean", "pii")
    after = "v" if edited else "b"
    query = f"""
        SELECT count(*), count(*) FILTER (v.kept),
               sum(b.n_chars)::BIGINT, sum({after}.n_chars) FILTER (v.kept)::BIGINT,
               sum(b.n_bytes)::BIGINT, sum({after}.n_bytes) FILTER (v.kept)::BIGINT,
               sum(b.n_tokens)::BIGINT, sum({after}.n_tokens) FILTER (v.kept)::BIGINT
        FROM stage_verdicts v LEFT JOIN {_BEFORE[stage]} b USING (part, doc_id) WHERE v.stage = '{stage}'
    """
    docs_in, docs_out, *rest = ledger.rows(query)[0]
    return (docs_in, docs_out, *rest)


def _rules(ledger: Ledger, stage: str) -> list[tuple[object, ...]]:
    """(rule, threshold, docs, chars, tokens) of what each rule was the first to drop."""
    if stage == "tokenize":
        return []
    if stage == "extract":
        return ledger.rows(
            "SELECT rule, max(threshold), count(*), NULL, NULL FROM records WHERE NOT kept GROUP BY rule ORDER BY 3 DESC, 1"
        )
    return ledger.rows(
        f"""
        SELECT v.rule, v.threshold, count(*), sum(b.n_chars)::BIGINT, sum(b.n_tokens)::BIGINT
        FROM stage_verdicts v LEFT JOIN {_BEFORE[stage]} b USING (part, doc_id)
        WHERE v.stage = '{stage}' AND NOT v.kept GROUP BY ALL ORDER BY 3 DESC, 1
        """
    )


def check(ledger: Ledger, whole: bool) -> None:
    """Nothing disappears: what goes into a stage is kept or dropped, and what it keeps goes into the next.

    whole: the run had no failed unit; only then does everything that one stage kept reach the next. Raises LedgerError.
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
