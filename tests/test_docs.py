"""What the documentation says about files, links and commands is true."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.corpus.ledger import FILE_NAME
from pipeline.flow import EDITING, JUDGING
from pipeline.removals.log import REMOVAL_SCHEMA
from tests.conftest import ROOT
from trainer.checkpoints.state import Progress
from trainer.record.history import Stretch

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FORMATS = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
ARROW_NAMES = {"float64": "double", "float32": "float"}
# Files that share their columns, which are documented once.
ALIKE = {
    "verdicts/quality/part-*.parquet": [f"verdicts/{stage}/part-*.parquet" for stage in JUDGING[1:] if stage not in EDITING],
    "verdicts/clean/part-*.parquet": [f"verdicts/{stage}/part-*.parquet" for stage in EDITING],
    "edits/clean/part-*.parquet": [f"edits/{stage}/part-*.parquet" for stage in EDITING],
    "tokens/train-*.arrow": ["tokens/train-*.arrow", "tokens/val-*.arrow"],
}


def table_below(heading: str) -> dict[str, str]:
    """The first two cells of each row below a heading of formats.md: name to type (with two columns: to meaning)."""
    section = FORMATS.split(f"\n### {heading}\n")[1].split("\n#")[0]
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]*?) \|", section, re.MULTILINE)
    assert rows, heading
    assert len(dict(rows)) == len(rows), heading
    return dict(rows)


FILES = [name for name in re.findall(r"^### `([^`]+)`$", FORMATS, re.MULTILINE) if name != "removals.parquet"]
LEDGER_TABLES = re.findall(r"^### Table `([^`]+)`$", FORMATS, re.MULTILINE)


def schema_of(path: Path) -> pa.Schema:
    return pq.read_schema(path) if path.suffix == ".parquet" else pa.ipc.open_file(str(path)).schema


def assert_columns_are(documented: dict[str, str], schema: pa.Schema) -> None:
    assert list(documented) == schema.names
    for name, described in documented.items():
        field = schema.field(name)
        kind, _, null = described.partition(" or ")
        # The names of list items have no meaning.
        assert ARROW_NAMES.get(kind, kind) == re.sub(r"<\w+: (\w+)( not null)?>", r"<\1>", str(field.type)), name
        assert (null == "null") == field.nullable, name


@pytest.mark.parametrize("pattern", FILES)
def test_files_have_the_columns_that_are_documented(corpus: Path, pattern: str) -> None:
    for alike in ALIKE.get(pattern, [pattern]):
        paths = sorted(corpus.glob(alike))
        assert paths, alike
        for path in paths:
            assert_columns_are(table_below(f"`{pattern}`"), schema_of(path))


def test_the_log_of_removals_has_the_columns_that_are_documented() -> None:
    assert_columns_are(table_below("`removals.parquet`"), REMOVAL_SCHEMA)


def test_every_table_of_a_corpus_is_documented(corpus: Path) -> None:
    patterns = [*FILES, *(alike for group in ALIKE.values() for alike in group)]
    documented = {path for pattern in patterns for path in corpus.glob(pattern)}
    assert {path for suffix in ("parquet", "arrow") for path in corpus.rglob(f"*.{suffix}")} == documented


@pytest.fixture(scope="module")
def ledger(corpus: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(corpus / FILE_NAME), read_only=True) as connection:
        yield connection


@pytest.mark.parametrize("table", LEDGER_TABLES)
def test_tables_of_the_ledger_have_the_columns_that_are_documented(ledger: duckdb.DuckDBPyConnection, table: str) -> None:
    columns = ledger.execute(
        f"SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = '{table}' AND NOT internal ORDER BY column_index"
    ).fetchall()
    assert list(table_below(f"Table `{table}`").items()) == columns


def test_every_table_of_the_ledger_is_documented(ledger: duckdb.DuckDBPyConnection) -> None:
    tables = ledger.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    assert {name for (name,) in tables} == set(LEDGER_TABLES)


def test_the_views_that_are_documented_answer(ledger: duckdb.DuckDBPyConnection) -> None:
    for view in table_below("Views"):
        ledger.execute(f"SELECT * FROM {view} LIMIT 1").fetchall()


@pytest.mark.parametrize(
    ("heading", "documented"),
    [("Lines of `stretches.jsonl`", Stretch), ("`progress` in `training.json`", Progress)],
)
def test_a_runs_files_have_the_keys_that_are_documented(heading: str, documented: type[Stretch] | type[Progress]) -> None:
    assert list(table_below(heading)) == [field.name for field in fields(documented)]


def anchors_of(page: Path) -> set[str]:
    """The anchors of a page by GitHub's rule: lower case, no punctuation, hyphens for spaces."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_link_leads_to_a_place(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        place = page.parent / name if name else page
        assert place.exists(), target
        assert not anchor or anchor in anchors_of(place), target


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    if page.name == "CHANGELOG.md":  # which names files that no longer exist
        return
    for name in re.findall(
        r"`((?:pipeline|trainer|model|tests|benchmarks|manifests|docs|\.ci)/[\w/.-]+\.\w+)`", page.read_text("utf-8")
    ):
        assert (ROOT / name).exists() or "/NAME/" in name, name


@pytest.mark.parametrize("package", ["pipeline", "model", "trainer"])
def test_the_map_of_the_house_shows_every_folder(package: str) -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    room = text.split(f"\n{package}/\n")[1].split("\n\n")[0].split("\n```")[0]
    there = {path.name for path in (ROOT / package).iterdir() if (path / "__init__.py").exists()}
    assert set(re.findall(r"^  (\w+)/", room, re.MULTILINE)) == there


@pytest.mark.parametrize("folder", ["docs", "docs/ja"])
def test_the_index_lists_every_page(folder: str) -> None:
    listed = re.findall(r"\]\(([\w.-]+\.md)\)", (ROOT / folder / "README.md").read_text(encoding="utf-8"))
    assert sorted(listed) == sorted(page.name for page in (ROOT / folder).glob("*.md") if page.name != "README.md")


def quoted_pieces() -> list[str]:
    """The literal pieces of the messages quoted in both troubleshooting.md, without the variable parts."""
    text = "\n".join((ROOT / folder / "troubleshooting.md").read_text(encoding="utf-8") for folder in ("docs", "docs/ja"))
    symptoms = [cell for row in re.findall(r"^\| ([^|]*`[^|]*) \|", text, re.MULTILINE) for cell in re.findall(r"`([^`]+)`", row)]
    pieces = [piece.strip(" :,;()") for message in symptoms for piece in re.split(r"\b[A-Z]{1,9}\b|…|'\w+'|\b\d+\b", message)]
    return sorted({piece for piece in pieces if " " in piece})


@pytest.fixture(scope="module")
def messages() -> str:
    """The source of all packages, with adjacent string literals joined across lines."""
    paths = [path for package in ("pipeline", "trainer", "model") for path in sorted((ROOT / package).rglob("*.py"))]
    return re.sub(r'"\s*f?"', "", "\n".join(path.read_text(encoding="utf-8") for path in paths))


@pytest.mark.parametrize("piece", quoted_pieces())
def test_the_messages_that_troubleshooting_quotes_are_those_of_the_program(messages: str, piece: str) -> None:
    assert piece in messages


def test_decisions_are_numbered_and_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    names = sorted(page.name for page in folder.glob("[0-9]*.md"))
    assert [int(name[:3]) for name in names] == list(range(1, len(names) + 1))
    assert re.findall(r"\]\(([0-9][^)]+)\)", (folder / "README.md").read_text(encoding="utf-8")) == names


def test_constraints_pin_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["train"], *project["optional-dependencies"]["test"]]
    pinned = re.findall(r"^([\w.-]+)==", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)

    def plain(name: str) -> str:
        return re.sub(r"[-_.]+", "-", name).lower()

    asked = {plain(re.split(r"[\[<>=,; ]", requirement)[0]) for requirement in wanted} - {"kotokura"}
    assert asked <= {plain(name) for name in pinned}
