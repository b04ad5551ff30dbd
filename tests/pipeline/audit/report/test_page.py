"""The report: its figures are the ledger's, its sliders give what judging would give, and no crawled content is executed."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from pipeline.audit.report.examples import PAGES
from pipeline.audit.report.numbers import BARS, Sampled, histograms, read_numbers
from pipeline.audit.report.page import ReportError, report_data, report_html
from pipeline.audit.yields import yield_rows
from pipeline.cli import main
from pipeline.corpus.ledger import Ledger
from pipeline.corpus.views import create_views, read_ledger
from pipeline.manifest import read_manifest
from pipeline.measure.table import MEASURES
from pipeline.quality import profiles
from pipeline.rules import Rule

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# Hostile strings in a page that might be executed: as markup, as the end of the data, as an address.
HOSTILE = (
    "</script><script>document.title='ran'</script>",
    "<img src=x onerror=\"document.title='ran'\">",
    "<!--<script>document.title='ran'</script>",
    "\"'`;document.title='ran';//",
    "javascript:document.title='ran'",
    "{{DATA}} {{SCRIPT}} \u2028document.title='ran'",
)
# A rule with one bound.
RULE_WITH = {
    "minimum": lambda threshold: Rule("num_letters", minimum=threshold),
    "above": lambda threshold: Rule("num_letters", above=threshold),
    "maximum": lambda threshold: Rule("num_letters", maximum=threshold),
    "below": lambda threshold: Rule("num_letters", below=threshold),
}


@pytest.fixture(scope="module")
def data(corpus: Path) -> dict[str, Any]:
    with read_ledger(corpus) as ledger:
        return report_data(ledger, read_manifest(str(corpus / "manifest.yaml")))


def rows(corpus: Path, query: str) -> list[tuple[Any, ...]]:
    with read_ledger(corpus) as ledger:
        return ledger.rows(query)


def data_of(page: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


# Figures


def test_stages_are_those_of_the_yield_table(corpus: Path, data: dict[str, Any]) -> None:
    with read_ledger(corpus) as ledger:
        expected = yield_rows(ledger)
    for stage, of_ledger in zip(data["stages"], expected, strict=True):
        assert stage == {name: value for name, value in of_ledger.items() if name != "rules"}


def test_each_rule_has_its_first_any_and_alone_drops(corpus: Path, data: dict[str, Any]) -> None:
    verdicts = rows(corpus, "SELECT stage, rule, failed FROM verdicts WHERE NOT kept")
    for rule in data["rules"]:
        failing = [failed for stage, _, failed in verdicts if stage == rule["stage"] and rule["rule"] in failed]
        first = [name for stage, name, _ in verdicts if (stage, name) == (rule["stage"], rule["rule"])]
        assert (rule["first"], rule["failed"], rule["alone"]) == (len(first), len(failing), sum(len(f) == 1 for f in failing))
    of_quality = {rule["rule"]: rule["threshold"] for rule in data["rules"] if rule["stage"] == "quality"}
    assert of_quality.keys() == {rule.name for rule in profiles.PROFILES["swallow_code"]}
    assert None not in of_quality.values()


def test_tables_count_what_the_corpus_holds(corpus: Path, data: dict[str, Any]) -> None:
    tables = {table["name"]: table["rows"] for table in data["tables"]}
    extracted, kept = rows(corpus, "SELECT count(*) FILTER (stage <> 'extract'), count(*) FILTER (kept) FROM fates")[0]
    tokens = rows(corpus, "SELECT sum(tokens) FROM token_shards")[0][0]
    for name in ("hosts", "languages", "charsets", "charset_sources", "extractors", "months"):
        assert (sum(row[1] for row in tables[name]), sum(row[2] for row in tables[name])) == (extracted, kept), name
    assert (sum(row[1] for row in tables["lengths"]), sum(row[2] for row in tables["lengths"])) == (kept, tokens)
    assert sum(row[1] for row in tables["personal_data"]) == rows(corpus, "SELECT count(*) FROM edits WHERE stage = 'pii'")[0][0]
    assert sum(row[2] for row in tables["clusters"]) == rows(corpus, "SELECT count(*) FROM duplicates")[0][0]


def test_tables_summed_over_parts_are_those_of_one_query(corpus: Path, data: dict[str, Any]) -> None:
    tables = {table["name"]: table["rows"] for table in data["tables"]}
    counted = "count(*), count(*) FILTER (kept), coalesce(sum(n_tokens) FILTER (kept), 0)::BIGINT FROM pages GROUP BY 1"
    charsets = rows(corpus, f"SELECT coalesce(charset, ''), {counted} ORDER BY 2 DESC, 1")
    assert tables["charsets"] == [list(row) for row in charsets]
    months = rows(corpus, f"SELECT coalesce(substr(date, 1, 7), ''), {counted} ORDER BY 1")
    assert tables["months"] == [list(row) for row in months]
    documents = "count(*), count(DISTINCT (part, doc_id))"
    spans = rows(corpus, f"SELECT kind, {documents} FROM edits WHERE stage = 'pii' GROUP BY 1 ORDER BY 2 DESC, 1")
    assert tables["personal_data"] == [list(row) for row in spans]
    lengths = rows(
        corpus, "SELECT (2 ** floor(log2(final_tokens)))::BIGINT, count(*) FROM pages WHERE kept GROUP BY 1 ORDER BY 1"
    )
    assert [row[:2] for row in tables["lengths"]] == [list(row) for row in lengths]


def test_histograms_hold_every_document_of_every_measured_number(corpus: Path, data: dict[str, Any]) -> None:
    judged = rows(corpus, "SELECT count(*) FROM stage_verdicts WHERE stage = 'quality'")[0][0]
    assert {number["name"] for number in data["numbers"]} == {measure.name for measure in MEASURES}
    for number in data["numbers"]:
        assert sum(map(sum, number["bars"].values())) + number["unknown"] == judged, number["name"]
        assert sum(number["bars"]["kept"]) == data["kept_by_quality"]["documents"]
        assert all(len(bars) == BARS for bars in number["bars"].values())


def test_sliders_stand_where_the_corpus_stands(data: dict[str, Any]) -> None:
    curves = [curve for number in data["numbers"] for curve in number["curves"]]
    assert len(curves) == sum(len(rule.bounds()) for rule in profiles.PROFILES["swallow_code"])
    for curve in curves:
        at = curve["stops"].index(curve["threshold"])
        assert (curve["documents"][at], curve["tokens"][at]) == tuple(data["kept_by_quality"].values()), curve["key"]


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 1.0, 2.0, 2.5, 3.0, 10.0, float("nan")]), st.booleans()), min_size=1, max_size=30),
    st.sampled_from(sorted(RULE_WITH)),
    st.sampled_from([1.0, 2.0, 2.5]),
)
def test_each_stop_of_a_slider_is_what_judging_by_it_gives(
    documents: list[tuple[float, bool]], kind: str, threshold: float
) -> None:
    values = np.array([value for value, _ in documents])
    fails_other = np.array([other for _, other in documents])
    rule = RULE_WITH[kind](threshold)
    failed = rule.failures(values)[0]
    first = np.array(["num_letters" if f else "other" if o else "" for f, o in zip(failed, fails_other, strict=True)], object)
    n_tokens = np.arange(1, len(values) + 1)
    ids = np.array([f"{row:032x}" for row in range(len(values))], object)
    sampled = Sampled(1.0, ids, ids, {"num_letters": values}, n_tokens, failed.astype(int) + fails_other, first)
    ((curve,),) = [number["curves"] for number in histograms(sampled, [rule])]
    for stop, found, tokens in zip(curve["stops"], curve["documents"], curve["tokens"], strict=True):
        kept = ~RULE_WITH[kind](stop).failures(values)[0] & ~fails_other
        assert (found, tokens) == (kept.sum(), n_tokens[kept].sum())


def test_pages_are_those_that_a_rule_dropped_and_kept_ones_nearest_to_it(corpus: Path, data: dict[str, Any]) -> None:
    fates = set(rows(corpus, "SELECT doc_id, stage, rule FROM fates WHERE NOT kept"))
    for of_rule in data["pages"]:
        assert {(page["doc_id"], of_rule["stage"], of_rule["rule"]) for page in of_rule["dropped"]} <= fates
        assert 0 < len(of_rule["dropped"]) <= PAGES
    lengths = next(each for each in data["pages"] if each["rule"] == "num_letters")["nearly"]
    kept = rows(
        corpus,
        "SELECT num_letters FROM measured JOIN (SELECT part, doc_id FROM stage_verdicts WHERE stage = 'quality' AND kept) "
        "USING (part, doc_id) ORDER BY num_letters LIMIT 12",
    )
    assert [page["value"] for page in lengths] == [value for (value,) in kept]


def test_the_dropped_pages_shown_are_those_with_the_smallest_ids_and_say_what_was_kept_instead(
    corpus: Path, data: dict[str, Any]
) -> None:
    query = f"""
        SELECT f.doc_id, f.url, f.value, f.threshold, o.url FROM fates f
        LEFT JOIN duplicates u ON u.doc_id = f.doc_id AND u.doc_id <> u.survivor_id AND f.stage = 'dedup'
        LEFT JOIN (SELECT doc_id, max(url) AS url FROM documents GROUP BY 1) o ON o.doc_id = u.survivor_id
        WHERE f.stage = ? AND f.rule = ? ORDER BY f.doc_id, f.warc_offset LIMIT {PAGES}
    """
    with read_ledger(corpus) as ledger:
        for of_rule in data["pages"]:
            chosen = ledger.rows(query, of_rule["stage"], of_rule["rule"])
            shown = [tuple(page[name] for name in ("doc_id", "url", "value", "threshold")) for page in of_rule["dropped"]]
            assert shown == [row[:4] for row in chosen], of_rule["rule"]
            if of_rule["stage"] == "dedup":
                assert [page["detail"] for page in of_rule["dropped"]] == [row[4] for row in chosen]


def test_a_large_corpus_is_sampled_by_id_and_the_share_is_told(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.audit.report.numbers.SAMPLED_FROM", 100)
    with read_ledger(corpus) as ledger:
        sampled = read_numbers(ledger)
    ids = [doc_id for (doc_id,) in rows(corpus, "SELECT doc_id FROM stage_verdicts WHERE stage = 'quality'")]
    assert sampled.share == 100 / len(ids)
    assert len(sampled.n_tokens) == sum(int(doc_id[:8], 16) < int(sampled.share * 2**32) for doc_id in ids)


# The page


def test_the_command_writes_a_page_with_these_figures(corpus: Path, data: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    result = CliRunner().invoke(main, ["report", str(corpus), "--page", str(path), "--compare", str(corpus)])
    assert result.exit_code == 0, result.output
    written = data_of(path.read_text(encoding="utf-8"))
    assert written["comparison"]["groups"] == []
    assert {**written, "comparison": None} == json.loads(json.dumps(data, default=str))
    refused = CliRunner().invoke(main, ["report", str(corpus), "--page", str(tmp_path / "report.html" / "x")])
    assert refused.exit_code == 2
    assert "name another with --page" in refused.output


def test_a_corpus_that_was_never_counted_is_told_in_a_line(tmp_path: Path, corpus: Path) -> None:
    with Ledger(tmp_path) as ledger:
        create_views(ledger)
        with pytest.raises(ReportError, match="nothing is counted yet"):
            report_data(ledger, read_manifest(str(corpus / "manifest.yaml")))


@given(st.lists(st.text(st.characters(), max_size=40), max_size=4))
def test_any_text_comes_through_the_page_unchanged_and_ends_no_tag(texts: list[str]) -> None:
    page = report_html({"texts": texts})
    block = page[page.index('id="data">') + len('id="data">') :]
    assert "<" not in block[: block.index("</script>")]
    assert data_of(page)["texts"] == [text.encode("utf-8", "replace").decode("utf-8") for text in texts]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_a_browser_shows_the_figures_and_runs_nothing_of_hostile_pages(data: dict[str, Any], tmp_path: Path) -> None:
    assert CHROMIUM is not None
    attack = " ".join(HOSTILE)
    attacked = dict.fromkeys(("doc_id", "url", "title", "text", "detail"), attack) | {"value": None, "threshold": None}
    hostile = json.loads(json.dumps(data, default=str))
    hostile["corpus"] = attack
    hostile["rules"][0]["rule"] = attack
    hostile["tables"][0]["rows"][0][0] = attack
    hostile["pages"] = [{"stage": attack, "rule": attack, "dropped": [attacked], "nearly": []}]
    path = tmp_path / "report.html"
    path.write_text(report_html(hostile), encoding="utf-8")
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    shown = subprocess.run([CHROMIUM, *flags, path.as_uri()], capture_output=True, text=True, timeout=120, check=True).stdout
    assert "<title>Where the pages went</title>" in shown
    body = shown[shown.index('<main id="report">') : shown.index("</main>")]
    assert "<script" not in body
    assert "<img" not in body
    # In the heading, a rule, a host, and in the page's rule, address, title, text, and line with detail and id.
    assert body.count(html.escape(HOSTILE[0], quote=False)) >= 8
    for stage in data["stages"]:
        assert f"{stage['docs_out']:,}" in body
    assert body.count("<svg") == len(data["numbers"])
    assert body.count("<details>") == 1
