"""`explain`: the text as encoded, what edits changed, what rules keep, and a hint for a page that is not there."""

import json
import re
import unicodedata
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from pipeline.audit.explain.near import SHOWN, near_pages
from pipeline.audit.explain.story import diff, stories
from pipeline.audit.explain.text import EXCERPT, story_text
from pipeline.cli import main
from pipeline.corpus.views import read_ledger
from pipeline.operations.export import final_texts
from pipeline.text.edits import Edit, apply, merge


def one_page(corpus: Path, where: str) -> str:
    with read_ledger(corpus) as ledger:
        query = f"SELECT url FROM fates LEFT JOIN edits USING (part, doc_id) WHERE {where} ORDER BY url LIMIT 1"
        return str(ledger.rows(query.replace("stage", "fates.stage"))[0][0])


def explained(corpus: Path, *arguments: str) -> str:
    result = CliRunner().invoke(main, ["explain", str(corpus), *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def columns(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in line)


def test_the_text_is_that_of_the_export(corpus: Path) -> None:
    url = one_page(corpus, "kept AND kind = 'punctuation'")
    with read_ledger(corpus) as ledger:
        texts = {row["doc_id"]: row["text"] for _, tables in final_texts(ledger) for table in tables for row in table.to_pylist()}
        (story,) = stories(ledger, url)
    assert story["text"] == texts[story["record"]["doc_id"]]
    assert story["text"] in explained(corpus, url, "--text")
    assert json.loads(explained(corpus, url, "--json"))["text"] == story["text"]


def test_without_text_a_long_one_has_its_beginning_and_end(corpus: Path) -> None:
    with read_ledger(corpus) as ledger:
        (story,) = stories(ledger, one_page(corpus, "kept"))
    story["text"] = "始" + "あ" * (3 * EXCERPT) + "終"
    shown = story_text(story)
    assert f"{2 * EXCERPT + 2:,} characters; --text shows them" in shown
    assert "始" in shown
    assert "終" in shown
    assert shown.count("あ") < EXCERPT + 100


def test_each_line_fits_120_columns(corpus: Path) -> None:
    for where in ("kept AND kind = 'punctuation'", "rule = 'near_duplicate'", "rule = 'num_letters'"):
        assert max(map(columns, explained(corpus, one_page(corpus, where)).splitlines())) <= 120


def test_a_duplicate_names_the_page_that_was_kept(corpus: Path) -> None:
    with read_ledger(corpus) as ledger:
        query = "SELECT f.url, r.url FROM fates f JOIN duplicates d USING (doc_id) JOIN records r ON r.doc_id = d.survivor_id"
        url, survivor = ledger.rows(f"{query} WHERE f.rule = 'near_duplicate' LIMIT 1")[0]
    assert re.search(rf"survivor +{re.escape(survivor)}", explained(corpus, url))


def test_numbers_have_the_bounds_of_the_corpus_beside_them(corpus: Path) -> None:
    shown = explained(corpus, one_page(corpus, "rule = 'katakana_fraction'"))
    assert re.search(r"katakana_fraction +0\.\d+ +<= 0\.5 +drops the page", shown)
    assert re.search(r"avg_sentence_length +[\d.]+ +>= 20, <= 90$", shown, re.MULTILINE)
    assert re.search(r"symbol_fraction +[\d.]+$", shown, re.MULTILINE)


@pytest.mark.parametrize("part", ["host", "end of the address", "title", "typing error", "capitals"])
def test_a_page_that_is_not_there_has_near_ones(corpus: Path, part: str) -> None:
    with read_ledger(corpus) as ledger:
        query = "SELECT url, host, title FROM documents WHERE length(title) > 8 AND length(url) > 40 ORDER BY url LIMIT 1"
        url, host, title = ledger.rows(query)[0]
        name = {
            "host": host,
            "end of the address": url[-12:],
            "title": title[:6],
            "typing error": url[:20] + "x" + url[21:],
            "capitals": url.upper(),
        }[part]
        near = near_pages(ledger, name)
    assert 0 < len(near) <= SHOWN
    assert url in [page for page, _ in near] or part in ("host", "title")
    result = CliRunner().invoke(main, ["explain", str(corpus), name])
    assert result.exit_code == 2
    assert all(page in result.output for page, _ in near)


@given(st.text("あい。\n", min_size=1, max_size=40), st.data())
def test_the_diff_shows_every_line_that_changes_and_no_other(text: str, data: st.DataObject) -> None:
    spans = data.draw(
        st.lists(st.tuples(st.integers(0, len(text) - 1), st.integers(1, 6), st.sampled_from(["", "ん"])), max_size=5)
    )
    edits = sorted(
        {("clean", Edit(start, min(len(text), start + length), "kind", new)) for start, length, new in spans},
        key=lambda each: each[1].start,
    )
    hunks = diff(text, edits)
    final = apply(text, merge([edit for _, edit in edits]))
    assert sum(sum(hunk["kinds"].values()) for hunk in hunks) == len(edits)
    lines, position = text.split("\n"), 0
    rebuilt = final.split("\n")
    assert len(lines) + sum(len(hunk["after"]) - len(hunk["before"]) for hunk in hunks) == len(rebuilt)
    for hunk in hunks:
        assert hunk["before"] != hunk["after"] or not hunk["before"]
        if hunk["before"]:
            position = next(at for at in range(position, len(lines)) if lines[at : at + len(hunk["before"])] == hunk["before"])
