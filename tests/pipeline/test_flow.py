"""What the order of the flow implies for its stages."""

from pipeline.corpus.views import TableRow
from pipeline.engine.stage import upstream_of
from pipeline.flow import COUNTED, EDITING, FLOW, JUDGING, SECONDS_OF, tables_of

BY_NAME = {stage.name: stage for stage in FLOW}


def test_judging_and_editing_stages_are_those_that_write_verdicts_and_edits() -> None:
    assert JUDGING == ("extract", "quality", "dedup", "hosts", "clean", "pii", "removals")
    assert EDITING == ("clean", "pii")


def test_the_yields_have_a_row_per_judging_stage_and_one_for_the_shards() -> None:
    assert (*JUDGING, "tokenize") == COUNTED
    assert sorted(name for names in SECONDS_OF.values() for name in names) == sorted(BY_NAME)


def test_survivors_come_from_the_judging_stage_before() -> None:
    judges = {stage.name: upstream_of(stage, FLOW).judge for stage in FLOW}
    assert (judges["dedup"], judges["hosts"], judges["clean"], judges["pii"]) == ("quality", "dedup", "hosts", "clean")
    assert judges["removals"] == judges["encode"] == "pii"


def test_shards_leave_out_what_is_removed() -> None:
    assert upstream_of(BY_NAME["order"], FLOW).removals == ("removals",)
    assert upstream_of(BY_NAME["pii"], FLOW).editors == ("clean",)


def test_the_ledger_is_told_of_every_table() -> None:
    tables = {table.path: table for table in tables_of(FLOW)}
    assert tables["token_counts/{part}.parquet"] == TableRow(
        "token_counts/{part}.parquet", "", "count", '"doc_id" VARCHAR, "n_tokens" BIGINT', False
    )
    assert tables["verdicts/pii/{part}.parquet"].changes_texts
    assert not tables["verdicts/hosts/{part}.parquet"].changes_texts
    assert tables["removals.parquet"].made_by == "removals"
