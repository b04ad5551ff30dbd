"""The report: one HTML page that shows where the pages of a crawl went, to be opened from disk and passed on.

The page is self-contained: style, script and data are inside it, and its content security policy blocks everything else. Data
from the Web is in a JSON block without any `<`, and the script inserts it as text only, so the markup of a hostile page is never
interpreted. Every figure comes from the ledger.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

import pipeline
from pipeline.audit.diff.difference import difference
from pipeline.audit.meanings import meaning
from pipeline.audit.report.examples import pages
from pipeline.audit.report.numbers import histograms, read_numbers
from pipeline.audit.report.tables import rules, tables
from pipeline.audit.rules_of_corpus import rules_of
from pipeline.audit.yields import yield_rows
from pipeline.corpus.ledger import Ledger
from pipeline.errors import UserError
from pipeline.files import write_text
from pipeline.manifest import Manifest
from pipeline.measure.table import MEASURES
from pipeline.quality import config as quality

_SCRIPTS = ("strings.js", "charts.js", "comparison.js", "report.js")


class ReportError(UserError):
    """There is nothing to report; the message says why and what to do."""


def report_data(ledger: Ledger, manifest: Manifest, other: Ledger | None = None) -> dict[str, Any]:
    """Everything that the page shows, as JSON types, with the differences from the corpus `other` if one is given.

    Raises ReportError for a corpus that was never counted, LedgerError if `other` was not, or if a manifest cannot be read.
    """
    stages = yield_rows(ledger)
    if not stages:
        raise ReportError(f"{ledger.root}: nothing is counted yet; `run` its manifest to the end first")
    of_quality = quality.rules_of(manifest.quality)
    numbers = read_numbers(ledger)
    known = rules_of(manifest)
    dropping = [
        {**each, "bounds": rule.bounds() if (rule := known.get((each["stage"], each["rule"]))) else []}
        for each in rules(ledger, of_quality)
    ]
    last = ledger.rows("SELECT run_id, finished::VARCHAR, status FROM runs ORDER BY started DESC LIMIT 1")
    fingerprint = ledger.root / "tokens" / "dataset.json"
    return {
        "corpus": ledger.root.resolve().name,
        "version": pipeline.__version__,
        "run": dict(zip(("run_id", "finished", "status"), last[0], strict=True)) if last else {},
        "fingerprint": json.loads(fingerprint.read_text(encoding="utf-8"))["fingerprint"] if fingerprint.exists() else None,
        "sampled": numbers.share,
        "judged": len(numbers.n_tokens),
        "stages": [{name: value for name, value in stage.items() if name != "rules"} for stage in stages],
        "rules": dropping,
        "meanings": _meanings([each["rule"] for each in dropping]),
        "numbers": histograms(numbers, of_quality),
        "kept_by_quality": {
            "documents": int((numbers.failures == 0).sum()),
            "tokens": int(numbers.n_tokens[numbers.failures == 0].sum()),
        },
        "tables": tables(ledger),
        "pages": pages(
            ledger, [(each["stage"], each["rule"]) for each in dropping if each["first"]], of_quality, manifest.pii, numbers
        ),
        "comparison": {"name": other.root.resolve().name, **asdict(difference(ledger, other))} if other else None,
    }


def _meanings(rules: Sequence[str]) -> dict[str, dict[str, str]]:
    """What each measured number and each of `rules` means, by name and language."""
    return {name: meaning(name)._asdict() for name in (*rules, *(measure.name for measure in MEASURES))}


def report_html(data: dict[str, Any]) -> str:
    """The page as HTML. Nothing in `data` is trusted."""
    folder = resources.files("pipeline.audit.report") / "web"
    style = folder.joinpath("report.css").read_text(encoding="utf-8")
    script = "".join(folder.joinpath(name).read_text(encoding="utf-8") for name in _SCRIPTS)
    # In JSON these characters occur only in strings, where the escapes mean the same. So no tag and no comment can begin or end.
    content = json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=str)
    for character in "<>&\u2028\u2029":
        content = content.replace(character, f"\\u{ord(character):04x}")
    content = content.encode("utf-8", "replace").decode("utf-8")  # UTF-8 cannot encode a lone surrogate
    page = folder.joinpath("report.html").read_text(encoding="utf-8")
    parts = {"STYLE": style, "SCRIPT": script, "STYLE_HASH": _hash(style), "SCRIPT_HASH": _hash(script), "DATA": content}
    head, *rest = page.split("{{")
    pieces = [head]
    for piece in rest:  # one pass, so that braces in the data are not taken for a placeholder
        name, _, text = piece.partition("}}")
        pieces += [parts[name], text]
    return "".join(pieces)


def write_report(path: Path, data: dict[str, Any]) -> None:
    """Write the page atomically: on failure the old file remains. Raises OSError."""
    write_text(path, report_html(data))


def _hash(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
