"""What a user must know after a run beyond its counts: why a corpus is empty, and which records could not be read."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pipeline.corpus.ledger import Ledger, sizes_by_stage
from pipeline.flow import COUNTED, JUDGING

if TYPE_CHECKING:
    from pipeline.operations.run import Report

_UNREADABLE = "corrupt_record"
_JSON_SUFFIXES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz", ".jsonl.zst", ".ndjson.zst", ".json.gz")


def why_empty(ledger: Ledger) -> str | None:
    """Why the corpus has no document, with the commonest reason; None if it has one, or if a run has not got that far."""
    rows = ledger.rows("SELECT docs_in, docs_out FROM stage_counts WHERE stage = ?", JUDGING[0])
    if not rows:
        return None
    records, documents = rows[0]
    if not records:
        return "the corpus is empty: the inputs hold no record; check what they are"
    kept = sizes_by_stage(ledger)[COUNTED[-1]].documents
    if documents and kept:
        return None
    commonest = ledger.rows("SELECT stage, rule, threshold, docs FROM rule_counts ORDER BY docs DESC, stage, rule LIMIT 1")
    if not commonest:
        return None  # a stage is still to be done, or failed
    stage, rule, threshold, docs = commonest[0]
    bound = "" if threshold is None else f" (threshold {threshold:g})"
    example = _example(ledger, rule) if stage == JUDGING[0] else ""
    return (
        f"the corpus is empty: of {records:,} records none is kept. The commonest reason is {rule}{bound} of {stage}, "
        f"{docs:,} of them{example}"
    )


def unreadable(ledger: Ledger) -> str | None:
    """How many records could not be read, and the first one; None if all could."""
    rows = ledger.rows("SELECT docs FROM rule_counts WHERE stage = ? AND rule = ?", JUDGING[0], _UNREADABLE)
    if not rows:
        return None
    query = "SELECT count(DISTINCT part), count(*) FROM records WHERE part IN (SELECT part FROM records WHERE rule = ?)"
    inputs, records = ledger.rows(query, _UNREADABLE)[0]
    of = f"{records:,} records of {inputs:,} input{'s' * (inputs > 1)}"
    return f"{sum(docs for (docs,) in rows):,} of the {of} cannot be read ({_UNREADABLE}){_example(ledger, _UNREADABLE)}"


def _example(ledger: Ledger, rule: str) -> str:
    """The first record that a rule dropped and the detail of it, with advice where it is known."""
    query = """
        SELECT warc_file, warc_offset, detail FROM records WHERE rule = ? AND detail <> ''
        ORDER BY warc_file, warc_offset LIMIT 1
    """
    rows = ledger.rows(query, rule)
    if not rows:
        return ""
    file, offset, detail = rows[0]
    return f"; the first: {file} at {offset:,}: {detail}{_advice(ledger, rule, file)}"


def _advice(ledger: Ledger, rule: str, file: str) -> str:
    if rule != _UNREADABLE or not file.endswith(_JSON_SUFFIXES):
        return ""
    (kept,) = ledger.rows("SELECT count(*) FROM records WHERE warc_file = ? AND rule IS DISTINCT FROM ?", file, rule)[0]
    if kept:
        return ""
    return "; each line must be one JSON object: `jq -c . FILE` turns pretty-printed JSON into lines, `jq -c '.[]' FILE` an array"


def closing_lines(report: "Report") -> list[str]:
    """What to say after the counts: what failed, could not be read or is empty, and what to do."""
    lines = [f"failed: {stage} {part}: {error}" for stage, part, error in report.failed]
    lines += [said for said in (report.unreadable, report.empty) if said]
    if report.stopped_before:
        lines.append(
            f"stopped before {report.stopped_before}, which is made of all inputs: mend what failed and run again, drop it from "
            "the inputs, or pass --allow-failed to build the corpus without it"
        )
    return lines


def report_data(report: "Report") -> dict[str, Any]:
    """The same as plain JSON."""
    failed = [dict(zip(("stage", "part", "error"), item, strict=True)) for item in report.failed]
    return {**asdict(report), "failed": failed}
