"""Exports: what leaves is masked, plain, of one schema, and loads as it is."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import zstandard
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.measure.table import MEASURES
from tests.pipeline.text_corpora import article, build_texts

MAIL = "taro.yamada@mail.example.co.jp"
ROWS: list[dict[str, Any]] = [
    {
        "id": "a",
        "text": f"{article(11)}\n連絡先は {MAIL} まで。",
        "title": f"090-1234-5678 の口コミ {MAIL}",
        "url": f"https://a.example/?mail={MAIL.replace('@', '%40')}",
        "licence": "CC-BY-4.0",
        "author": {"name": "花", MAIL: [f"mailto:{MAIL}", 'a "quoted" \\ line\n', 5]},
    },
    {"id": "b", "text": article(12), "licence": "CC0-1.0", "score": 0.25},
    {"id": "c", "text": article(13), "licence": "unknown", "score": 0.75},
]
BASE = ["doc_id", "url", "host", "date", "title", "text", "warc_file", "warc_offset"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus with fields and personal data; tests must not change it. A part of it has no document left."""
    files = {"a.jsonl": ROWS, "b.jsonl": [{"id": "gone", "text": article(14), "licence": "unknown", "score": 0.75}]}
    changes = ("quality.fields.licence.any_of=[CC-BY-4.0, CC0-1.0, unknown]", "quality.fields.score={max: 0.5, missing: keep}")
    return build_texts(tmp_path_factory.mktemp("export"), files, *changes, "tokenize.validation_share=0.5")


def export(root: Path, target: Path, *arguments: str) -> str:
    result = CliRunner().invoke(main, ["export", str(root), "--to", str(target), *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_titles_and_addresses_are_masked_like_the_text(built: Path, tmp_path: Path) -> None:
    export(built, tmp_path)
    first, second = pq.read_table(tmp_path / "part-00000.parquet").to_pylist()
    assert first["title"] == "［電話番号］ の口コミ ［メールアドレス］"
    assert first["url"] == "https://a.example/?mail=［メールアドレス］"
    assert first["text"].endswith("連絡先は ［メールアドレス］ まで。")
    assert (second["title"], second["url"]) == ("", "")


def test_json_lines_are_plain_and_packed_ones_have_a_name_that_says_so(built: Path, tmp_path: Path) -> None:
    assert f"2 documents in 1 files: {tmp_path}/part-*.jsonl" in export(built, tmp_path, "--format", "jsonl")
    export(built, tmp_path, "--format", "jsonl.zst")
    export(built, tmp_path)
    lines = (tmp_path / "part-00000.jsonl").read_bytes()
    packed = (tmp_path / "part-00000.jsonl.zst").read_bytes()
    assert zstandard.ZstdDecompressor().stream_reader(packed).read() == lines
    rows = [json.loads(line) for line in lines.splitlines()]
    assert rows == pq.read_table(tmp_path / "part-00000.parquet").to_pylist()
    assert [list(row) for row in rows] == [BASE, BASE]
    assert len(list(tmp_path.iterdir())) == 3


def test_files_of_an_earlier_export_do_not_stay(built: Path, tmp_path: Path) -> None:
    for name in ("part-00007.jsonl", "part-00007.parquet", "part-7.jsonl.old"):
        (tmp_path / name).write_text("")
    export(built, tmp_path, "--format", "jsonl")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["part-00000.jsonl", "part-00007.parquet", "part-7.jsonl.old"]


def test_more_columns_come_on_request(built: Path, tmp_path: Path) -> None:
    export(built, tmp_path, "--with", "metadata,numbers", "--with", "split,language")
    table = pq.read_table(tmp_path / "part-00000.parquet")
    more = ["split", "lang", "lang_score", "source_id", "metadata", "final_tokens", *(measure.name for measure in MEASURES)]
    assert table.column_names == [*BASE, *more]
    first, second = table.to_pylist()
    assert (first["source_id"], second["source_id"]) == ("a", "b")
    assert json.loads(second["metadata"]) == {"licence": "CC0-1.0", "score": 0.25}
    assert json.loads(first["metadata"])["author"] == {
        "name": "花",
        MAIL: ["mailto:［メールアドレス］", 'a "quoted" \\ line\n', 5],
    }
    assert {first["split"], second["split"]} <= {"train", "val"}
    assert all(row["final_tokens"] > 100 for row in (first, second))
    assert all(row["lang"] == "ja" for row in (first, second))


def test_fields_are_judged_and_the_rule_is_named(built: Path) -> None:
    result = CliRunner().invoke(
        main, ["sql", str(built), "SELECT source_id, metadata->>'$.licence' AS l, rule, value FROM pages ORDER BY ALL", "--json"]
    )
    rows = [json.loads(line) for line in result.output.splitlines()]
    assert [(row["source_id"], row["rule"], row["value"]) for row in rows] == [
        *(("a", None, None), ("b", None, None), ("c", "fields.score", 0.75), ("gone", "fields.score", 0.75))
    ]
    assert [row["l"] for row in rows] == ["CC-BY-4.0", "CC0-1.0", "unknown", "unknown"]


def test_what_if_refuses_to_change_what_is_not_stored_as_a_number_and_answers_the_rest(built: Path) -> None:
    refused = CliRunner().invoke(main, ["what-if", str(built), "--set", "quality.fields.score.max=0.9"])
    assert refused.exit_code == 2
    assert "quality.fields.score.max changes what is stored" in refused.output
    assert CliRunner().invoke(main, ["what-if", str(built), "--set", "quality.num_letters.min=9"]).exit_code == 0
    assert CliRunner().invoke(main, ["report", str(built), "--page", str(built.parent / "report.html")]).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--with", "lang"], "known are split, language, metadata, numbers"),
        (["--to", "/proc/none"], "name another folder with --to"),
    ],
)
def test_wrong_use_is_one_line(built: Path, arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(main, ["export", str(built), *arguments])
    assert result.exit_code == 2
    assert said in result.output
