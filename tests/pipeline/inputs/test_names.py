"""Which files a name means: what exists is taken as it is called, and what does not exist is told with the nearest that does."""

import unicodedata
from pathlib import Path

import pytest

from pipeline.inputs.record import InputError
from pipeline.inputs.sources import resolve_inputs


def found(*names: str) -> list[str]:
    return [Path(source.uri).name for source in resolve_inputs(list(names))]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text('{"text": "x"}\n')


@pytest.mark.parametrize(
    "name",
    [
        "crawl[2024].jsonl",
        "what?.jsonl",
        "stars*.jsonl",
        "[!a].jsonl",
        "日本語 フォルダ [v1]/データ (1).jsonl",
        "~.jsonl",
        "~nobody/a.jsonl",
        "a%20b.jsonl",
        "a#1.jsonl",
        "UPPER.JSONL",
    ],
)
def test_a_name_that_exists_is_that_file(folder: Path, name: str) -> None:
    put(folder, name, "crawl2.jsonl", "whatx.jsonl", "starsx.jsonl", "b.jsonl")
    for spelling in (name, f"./{name}", str(folder / name), f"file://{folder / name}"):
        assert found(spelling) == [Path(name).name]


def test_a_pattern_may_be_in_a_folder_whose_name_looks_like_one(folder: Path) -> None:
    put(folder, "data [v1]/a.jsonl", "data [v1]/b.jsonl", "data v/c.jsonl")
    assert found("data [v1]/*.jsonl") == ["a.jsonl", "b.jsonl"]
    assert found("data [v1]") == ["a.jsonl", "b.jsonl"]
    assert found("data*/[ac].jsonl") == ["a.jsonl", "c.jsonl"]


def test_a_folder_means_its_files_with_known_suffixes(folder: Path) -> None:
    put(folder, "in/a.jsonl", "in/deep/er/b.warc.gz", "in/README.md", "in/all.paths", "in/.hidden.jsonl", "in/.git/c.jsonl")
    (folder / "in/deep/loop").symlink_to(folder / "in")
    put(folder, "elsewhere/d.parquet")
    (folder / "in/linked").symlink_to(folder / "elsewhere")
    for spelling in ("in", "in/", str(folder / "in"), f"file://{folder}/in"):
        assert sorted(found(spelling)) == ["a.jsonl", "b.warc.gz", "d.parquet"]
    assert sorted(found("i?")) == ["a.jsonl", "b.warc.gz", "d.parquet"]


def test_a_corpus_is_never_taken_for_inputs(folder: Path) -> None:
    put(folder, "in/a.jsonl", "in/corpus/documents/part-00000.parquet", "in/corpus/manifest.duckdb")
    assert found("in") == ["a.jsonl"]
    with pytest.raises(InputError, match=r"'in/corpus' is a corpus that the program built"):
        found("in/corpus")


def test_a_folder_without_inputs_says_what_is_in_it(folder: Path) -> None:
    put(folder, "in/notes.doc", "in/b.pdf")
    with pytest.raises(InputError, match=r"folder 'in' holds no file with a known suffix; in it there are b\.pdf, notes\.doc"):
        found("in")
    (folder / "empty").mkdir()
    with pytest.raises(InputError, match="in it there is nothing"):
        found("empty")
    put(folder, "lists/warc.paths")
    with pytest.raises(InputError, match=r"holds no input but a list of inputs; name it: .*warc\.paths"):
        found("lists")


def test_one_file_in_several_spellings_is_one_input(folder: Path) -> None:
    put(folder, "in/a b.jsonl")
    (folder / "link.jsonl").symlink_to(folder / "in/a b.jsonl")
    assert found("in/a b.jsonl", "./in/../in/a b.jsonl", "in/*.jsonl", "in", f"file://{folder}/in/a%20b.jsonl", "link.jsonl") == [
        "a b.jsonl"
    ]


def test_the_home_folder_is_known(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder, "home/a.jsonl")
    monkeypatch.setenv("HOME", str(folder / "home"))
    assert found("~/a.jsonl") == found("~/*.jsonl") == found("~") == ["a.jsonl"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("crawl/jawiki-2O24.jsonl", "the nearest that exists is 'crawl/jawiki-2024.jsonl'"),
        ("crawl/*.warc.gz", "in crawl there are jawiki-2024.jsonl, データ.jsonl"),
        ("crwal/*.jsonl", "the nearest that exists is 'crawl'"),
        ("nothing/like/it.jsonl", "there is crawl"),
        (unicodedata.normalize("NFD", "crawl/データ.json"), "the nearest that exists is 'crawl/データ.jsonl'"),
    ],
)
def test_what_is_not_there_is_told_with_the_nearest_that_is(folder: Path, name: str, told: str) -> None:
    put(folder, "crawl/jawiki-2024.jsonl", "crawl/データ.jsonl")
    with pytest.raises(InputError) as error:
        found(name)
    assert told in str(error.value)
    assert f"relative names start at {folder}" in str(error.value)


def test_an_empty_name_is_not_the_current_folder(folder: Path) -> None:
    put(folder, "a.jsonl")
    with pytest.raises(InputError, match="empty name"):
        found("")
    assert found(".") == ["a.jsonl"]


def test_what_can_be_read_only_once_is_no_input() -> None:
    with pytest.raises(InputError, match="no regular file"):
        resolve_inputs(["/dev/null"])


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("a.zip", "unpack it"),
        ("a.tar.gz", "unpack it"),
        ("a.jsonl.bz2", "gzip or zstd"),
        ("a.md", "write JSON lines"),
        ("a.pdf", "extract its text"),
        ("a.feather", "convert it to Parquet"),
        ("noend", "unknown format; Known are WARC"),
    ],
)
def test_an_unknown_suffix_comes_with_advice(folder: Path, name: str, advice: str) -> None:
    put(folder, name)
    with pytest.raises(InputError, match=advice):
        found(name)


def test_a_list_has_comments_and_names_beside_it(folder: Path) -> None:
    put(folder, "lists/b.jsonl", "lists/sub/c.jsonl", "a.jsonl", "d.jsonl")
    (folder / "lists/all.paths").write_bytes(
        f"\ufeff# mine\r\n\r\nb.jsonl\r\n  sub/c.jsonl  \r\na.jsonl\r\n{folder}/d.jsonl\r\nb.jsonl\r\n".encode()
    )
    assert sorted(found("lists/all.paths")) == ["a.jsonl", "b.jsonl", "c.jsonl", "d.jsonl"]
    assert len(resolve_inputs(["lists/all.paths"], paths_limit=2)) == 2
    (folder / "lists/none.paths").write_text("# nothing\n\n")
    with pytest.raises(InputError, match="lists no file"):
        found("lists/none.paths")
    (folder / "lists/bad.paths.gz").write_bytes(b"\x1f\x8bdamaged")
    with pytest.raises(InputError, match="is no list of inputs"):
        found("lists/bad.paths.gz")


def test_a_listed_file_that_is_missing_is_a_source_that_fails(folder: Path) -> None:
    from pipeline.inputs.formats import read_records

    put(folder, "a.jsonl")
    (folder / "all.paths").write_text("a.jsonl\nb.jsonl\n")
    there, missing = resolve_inputs(["all.paths"])
    assert len(list(read_records(there, 100))) == 1
    with pytest.raises(InputError, match=r"b\.jsonl: No such file"):
        list(read_records(missing, 100))
