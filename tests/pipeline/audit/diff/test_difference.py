"""The difference between two corpora, compared with a plain restatement and with known facts of the sample."""

import json
import random
from collections import Counter, defaultdict
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner, Result

from pipeline.audit.diff.difference import Difference, difference
from pipeline.audit.diff.text import diff_text
from pipeline.cli import main
from pipeline.corpus.ledger import Ledger, Size, sizes_by_stage
from pipeline.corpus.views import read_ledger
from pipeline.flow import COUNTED
from pipeline.measure.unit import MEASURED_SCHEMA

JUDGING = ("quality", "dedup", "hosts", "clean", "pii")


class Page(NamedTuple):
    """A record of a made-up corpus; `fate` as `diff` names it, sizes of 0 if it became no document."""

    doc_id: str
    url: str
    fate: str
    n_chars: int = 0
    n_tokens: int = 0
    final_chars: int = 0
    final_tokens: int = 0


def make_corpus(root: Path, pages: list[Page], **manifest: object) -> Path:
    """A corpus of one part with these pages, and only the files that `diff` reads."""

    def write(name: str, columns: dict[str, list[object]], schema: pa.Schema) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns, schema=schema), root / name)

    text, number, flag = pa.string(), pa.int64(), pa.bool_()
    bound = [("value", pa.float64()), ("threshold", pa.float64()), ("failed", pa.list_(text))]
    verdict = [("doc_id", text), ("kept", flag), ("rule", text), *bound]
    record = pa.schema([*verdict, ("url", text), ("date", text), ("warc_file", text), ("warc_offset", number)])
    rule = [page.fate.partition(": ")[2] if page.fate.startswith("extract") else None for page in pages]
    columns: dict[str, list[object]] = {field.name: [None] * len(pages) for field in record}
    columns |= {"doc_id": [page.doc_id for page in pages], "url": [page.url for page in pages], "rule": list(rule)}
    columns["kept"] = [name is None for name in rule]
    write("verdicts/extract/part-00000.parquet", columns, record)
    reached = [page for page in pages if not page.fate.startswith("extract")]
    sizes: dict[str, list[object]] = {name: [0] * len(reached) for name in MEASURED_SCHEMA.names}
    sizes |= {"doc_id": [page.doc_id for page in reached], "n_chars": [page.n_chars for page in reached]}
    write("features/part-00000.parquet", sizes, pa.schema([(name, text if name == "doc_id" else number) for name in sizes]))
    counted: dict[str, list[object]] = {"doc_id": sizes["doc_id"], "n_tokens": [page.n_tokens for page in reached]}
    write("token_counts/part-00000.parquet", counted, pa.schema([("doc_id", text), ("n_tokens", number)]))
    sized = pa.schema([*verdict, ("n_chars", number), ("n_bytes", number), ("n_tokens", number)])
    for stage in JUDGING:
        columns = {field.name: [None] * len(reached) for field in sized}
        dropped = [page.fate.partition(": ")[2] if page.fate.startswith(stage) else None for page in reached]
        columns |= {
            "doc_id": [page.doc_id for page in reached],
            "kept": [name is None for name in dropped],
            "rule": list(dropped),
        }
        columns |= {"n_chars": [page.final_chars for page in reached], "n_tokens": [page.final_tokens for page in reached]}
        write(f"verdicts/{stage}/part-00000.parquet", columns, sized)
        reached = [page for page in reached if not page.fate.startswith(stage)]
    (root / "manifest.yaml").write_text(yaml.safe_dump({"output": str(root), **manifest}))
    with Ledger(root) as ledger:
        ledger.replace_rows("stage_counts", [("", "extract", 0, 0, len(pages), 0, 1, 0, 0, 0, 2, 0.0)])
    return root


def diff_of(a: Path, b: Path, examples: int = 0) -> Difference:
    with read_ledger(a) as ledger_a, read_ledger(b) as ledger_b:
        return difference(ledger_a, ledger_b, examples)


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


FATES = ["kept", "extract: not_japanese", "quality: num_letters", "dedup: near_duplicate", "hosts: listed_host"]


def drawn_page(draw: random.Random, number: int, url: str) -> Page:
    fate = draw.choice(FATES)
    sizes = [draw.randint(1, 3) for _ in range(4)]
    if fate.startswith("extract"):
        sizes = [0, 0, 0, 0]
    elif fate != "kept":
        sizes[2:] = [0, 0]
    return Page(f"{number:032x}"[::-1], url, fate, *sizes)


def restated(a: list[Page], b: list[Page]) -> tuple[Counter[tuple[object, ...]], dict[str, list[int]]]:
    """Groups of differing pages with their sizes, and (documents A, B, tokens A, B) per host, in plain Python."""
    by_id_a, by_id_b = ({page.doc_id: page for page in pages} for pages in (a, b))
    pairs: list[tuple[str, Page | None, Page | None]] = []
    pairs += [("same page", by_id_a[doc_id], by_id_b[doc_id]) for doc_id in by_id_a.keys() & by_id_b.keys()]
    alone: dict[str, tuple[list[Page], list[Page]]] = defaultdict(lambda: ([], []))
    for side, (pages, others) in enumerate(((a, by_id_b), (b, by_id_a))):
        for each in sorted(pages):
            if each.doc_id not in others:
                alone[each.url][side].append(each)
    for of_a, of_b in alone.values():
        common = min(len(of_a), len(of_b))
        pairs += [("same URL", one, other) for one, other in zip(of_a, of_b, strict=False)]
        pairs += [("only in A", page, None) for page in of_a[common:]]
        pairs += [("only in B", None, page) for page in of_b[common:]]
    groups: Counter[tuple[object, ...]] = Counter()
    hosts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for match, one, other in pairs:
        fates = (one.fate if one else None, other.fate if other else None)
        if match != "same page" or fates[0] != fates[1]:
            groups[(match, *fates)] += 1
        for side, page in enumerate((one, other)):
            if page and page.fate == "kept":
                host = hosts[page.url.split("/")[2]]
                host[side] += 1
                host[2 + side] += page.final_tokens
    return groups, hosts


@pytest.mark.parametrize("joined", [200_000, 7], ids=["in one piece", "in pieces"])
def test_pages_and_hosts_differ_as_a_plain_comparison_says(joined: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.audit.diff.pages._ROWS_JOINED", joined)
    monkeypatch.setattr("pipeline.audit.diff.pages._ROWS_HELD", joined)
    draw = random.Random(7)
    urls = [f"https://host{number % 5}.example/{number}" for number in range(40)]
    a = [drawn_page(draw, number, urls[number % 40]) for number in range(80)]
    b = [drawn_page(draw, number, urls[number % 40]) for number in range(30, 130)]
    found = diff_of(make_corpus(tmp_path / "a", a), make_corpus(tmp_path / "b", b))
    groups, hosts = restated(a, b)
    assert {(group.match, group.fate_a, group.fate_b): group.size.documents for group in found.groups} == groups
    assert {match for match, *_ in groups} == {"same page", "same URL", "only in B"}
    assert {change.host: [*asdict(change).values()][1:] for change in found.hosts} == {
        name: numbers for name, numbers in hosts.items() if numbers[2] != numbers[3]
    }
    gained = sum(page.final_tokens for page in b) - sum(page.final_tokens for page in a)
    same_fate = sum(
        other.final_tokens - one.final_tokens
        for one in a
        for other in b
        if one.doc_id == other.doc_id and one.fate == other.fate == "kept"
    )
    assert sum(group.final_tokens for group in found.groups) + same_fate == gained


def test_a_page_crawled_again_is_matched_by_its_url(tmp_path: Path) -> None:
    a = make_corpus(tmp_path / "a", [Page("a" * 32, "https://x.example/1", "kept", 5, 4, 5, 4)])
    b = make_corpus(tmp_path / "b", [Page("b" * 32, "https://x.example/1", "quality: num_letters", 3, 2)])
    (group,) = diff_of(a, b, examples=3).groups
    assert (group.match, group.fate_a, group.fate_b) == ("same URL", "kept", "quality: num_letters")
    assert (group.size, group.final_tokens) == (Size(1, 3, 2), -4)
    assert [asdict(page) for page in group.examples] == [
        {"url": "https://x.example/1", "doc_id_a": "a" * 32, "doc_id_b": "b" * 32}
    ]


def test_a_record_read_twice_counts_where_it_came_furthest(tmp_path: Path) -> None:
    kept = Page("a" * 32, "https://x.example/1", "kept", 5, 4, 5, 4)
    once = make_corpus(tmp_path / "a", [kept])
    twice = make_corpus(tmp_path / "b", [kept._replace(fate="extract: same_record"), kept])
    assert diff_of(once, twice).groups == ()


def test_corpora_without_sizes_of_stored_texts_are_compared_by_what_they_measured(tmp_path: Path) -> None:
    pages = [Page("0" * 32, "https://x.example/0", "kept", 9, 8, 7, 6)]
    new, old = make_corpus(tmp_path / "new", pages), make_corpus(tmp_path / "old", pages)
    path = old / "features" / "part-00000.parquet"
    sizes = pq.read_table(path)
    letters = sizes.drop_columns(["n_chars", "num_letters"]).append_column("num_letters", sizes["n_chars"])
    pq.write_table(letters, path)
    assert diff_of(old, new).texts == ()


def test_texts_that_changed_are_named_by_what_changed_first(tmp_path: Path) -> None:
    page = Page("0" * 32, "https://x.example/0", "kept", 9, 8, 7, 6)
    changes: list[dict[str, Any]] = [
        {},
        {"n_chars": 10, "final_chars": 9},
        {"n_tokens": 5},
        {"final_chars": 5},
        {"final_tokens": 9},
    ]
    a = [page._replace(doc_id=f"{number:032x}") for number in range(len(changes))]
    b = [one._replace(**change) for one, change in zip(a, changes, strict=True)]
    found = diff_of(make_corpus(tmp_path / "a", a), make_corpus(tmp_path / "b", b))
    assert {text.what: (text.documents, text.characters, text.tokens) for text in found.texts} == {
        "text as extracted": (1, 1, 0),
        "tokens as extracted": (1, 0, -3),
        "final text": (1, -2, 0),
        "final tokens": (1, 0, 3),
    }


def test_settings_and_versions_differ_without_the_folder_and_the_workers(tmp_path: Path) -> None:
    a = make_corpus(tmp_path / "a", [], workers=1, dedup={"rows": 20, "bands": 20}, versions={"kotokura": "0.1", "clean": "x"})
    b = make_corpus(tmp_path / "b", [], workers=2, dedup={"rows": 10, "bands": 20}, old_key=1, versions={"kotokura": "0.1"})
    found = diff_of(a, b)
    assert found.settings == {"dedup.rows": (20, 10), "old_key": (None, 1)}
    assert found.versions == {"clean": ("x", None)}
    text = diff_text(found)
    assert "pages: the same, with the same fate" in text
    assert "hosts: each has the same tokens in both" in text


def test_a_corpus_differs_in_nothing_from_itself(corpus: Path) -> None:
    found = diff_of(corpus, corpus, examples=2)
    assert (found.settings, found.versions, found.groups, found.texts, found.hosts) == ({}, {}, (), (), ())
    assert [row.stage for row in found.stages] == list(COUNTED)
    assert all(row.a == row.b for row in found.stages)


def test_another_threshold_moves_pages_from_rule_to_rule(corpus: Path, other_corpus: Path) -> None:
    found = diff_of(corpus, other_corpus, examples=2)
    with read_ledger(corpus) as a, read_ledger(other_corpus) as b:
        sizes_a, sizes_b = sizes_by_stage(a), sizes_by_stage(b)
    assert {row.stage: (row.a, row.b) for row in found.stages} == {stage: (sizes_a[stage], sizes_b[stage]) for stage in sizes_a}
    assert found.settings["quality.num_letters"] == (None, {"max": 700.0})
    assert found.settings["dedup.survivor"] == ("newest", "longest")
    assert found.versions == {}
    moved = {(group.fate_a, group.fate_b): group for group in found.groups}
    assert {group.match for group in found.groups} == {"same page"}
    assert sum(group.final_tokens for group in found.groups) == sizes_b["tokenize"].tokens - sizes_a["tokenize"].tokens
    lost = moved["kept", "quality: num_letters"]
    with read_ledger(corpus) as ledger:
        longer = ledger.rows("SELECT count(*) FROM fates JOIN features USING (part, doc_id) WHERE kept AND num_letters > 700")
    assert (lost.size.documents,) == longer[0]
    assert len(lost.examples) == 2
    assert [page.doc_id_a for page in lost.examples] == sorted(page.doc_id_b or "" for page in lost.examples)


# The command


def test_the_command_prints_every_part(corpus: Path, other_corpus: Path) -> None:
    text = call("diff", str(corpus), str(other_corpus), "--sample", "1").stdout
    for heading in ("stage ", "settings ", "versions of the code: the same", "pages ", "host "):
        assert any(line.startswith(heading) for line in text.splitlines()), heading
    assert "same page, kept -> quality: num_letters\n  https://" in text


def test_the_command_gives_plain_data(corpus: Path, other_corpus: Path) -> None:
    answer = json.loads(call("diff", str(corpus), str(other_corpus), "--json").stdout)
    assert answer.keys() == {field.name for field in fields(Difference)}
    (lost,) = (group for group in answer["groups"] if (group["fate_a"], group["fate_b"]) == ("kept", "quality: num_letters"))
    assert lost["match"] == "same page"
    assert lost["final_tokens"] < 0
    assert answer["settings"]["dedup.survivor"] == ["newest", "longest"]


def test_a_long_list_of_groups_is_cut_and_a_url_cannot_steer_the_terminal(tmp_path: Path) -> None:
    a = make_corpus(tmp_path / "a", [])
    b = make_corpus(tmp_path / "b", [Page("b" * 32, "https://x.example/\x1b[31m", "kept", 5, 4, 5, 4)])
    found = diff_of(a, b, examples=1)
    text = diff_text(replace(found, groups=found.groups * 45))
    assert "and 5 groups more; --json has them all" in text
    assert "\x1b" not in text
    assert "https://x.example/ [31m" in text


@pytest.mark.parametrize("which", [0, 1])
def test_a_folder_without_a_corpus_is_said(corpus: Path, tmp_path: Path, which: int) -> None:
    folders = [str(corpus), str(corpus)]
    folders[which] = str(tmp_path)
    result = call("diff", *folders)
    assert result.exit_code == 2
    assert "holds no corpus" in result.stderr


def test_a_corpus_that_was_never_counted_is_said(corpus: Path, tmp_path: Path) -> None:
    with Ledger(tmp_path):
        pass
    result = call("diff", str(corpus), str(tmp_path))
    assert result.exit_code == 1
    assert f"{tmp_path} is not built to the end" in result.stderr
    make_corpus(tmp_path, [])
    (tmp_path / "manifest.yaml").write_text("a: [")
    result = call("diff", str(corpus), str(tmp_path))
    assert result.exit_code == 1
    assert "manifest.yaml cannot be read" in result.stderr
