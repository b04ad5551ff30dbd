"""The flow: the stages in their order. What each one reads, writes and obeys is declared in its own folder."""

from pipeline.clean.unit import STAGE as CLEAN
from pipeline.corpus.sql_types import sql_columns
from pipeline.corpus.views import TableRow
from pipeline.dedup.signatures import STAGE as SIGNATURES
from pipeline.dedup.unit import STAGE as DEDUP
from pipeline.engine.stage import Stage, counted, editing, judging
from pipeline.extract.unit import STAGE as EXTRACT
from pipeline.hosts.unit import STAGE as HOSTS
from pipeline.measure.unit import STAGE as MEASURE
from pipeline.pii.unit import STAGE as PII
from pipeline.quality.unit import STAGE as QUALITY
from pipeline.removals.unit import STAGE as REMOVALS
from pipeline.tokenize.count import STAGE as COUNT
from pipeline.tokenize.encode import STAGE as ENCODE
from pipeline.tokenize.make_tokenizer import STAGE as TOKENIZER
from pipeline.tokenize.order import STAGE as ORDER
from pipeline.tokenize.shards import STAGE as SHARDS

FLOW: tuple[Stage, ...] = (
    EXTRACT,  # records → documents
    MEASURE,  # documents → numbers
    QUALITY,  # numbers × rules → verdicts
    TOKENIZER,
    COUNT,  # tokens of each document
    SIGNATURES,
    DEDUP,  # one survivor per cluster of near-duplicates
    HOSTS,
    CLEAN,  # edits
    PII,  # edits
    REMOVALS,  # what someone asked to go
    ENCODE,
    ORDER,  # where shards begin
    SHARDS,
)

JUDGING = judging(FLOW)
EDITING = editing(FLOW)
# The rows of the yields, each with the stages whose seconds it sums; the last one is what is in the shards.
SECONDS_OF = counted(FLOW)
COUNTED = tuple(SECONDS_OF)


def tables_of(flow: tuple[Stage, ...]) -> list[TableRow]:
    """The Parquet files that the stages make and keep, as the ledger records them."""
    rows = []
    for stage in flow:
        for path, schema in {**stage.writes, **stage.keeps}.items():
            if schema is not None:
                owner = stage.name if path.startswith(("verdicts/", "edits/")) else ""
                sized = path.startswith("verdicts/") and stage.changes_texts
                rows.append(TableRow(path, owner, stage.name, sql_columns(schema), sized))
    return rows
