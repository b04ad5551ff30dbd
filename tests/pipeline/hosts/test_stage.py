"""The stage hosts: lists in the format of UT1, what an entry matches, statistics and verdicts."""

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline import rules
from pipeline.hosts.config import HostsConfig
from pipeline.hosts.lists import HostListError, HostLists
from pipeline.hosts.stage import judge_hosts
from pipeline.text.urls import normal_host, registered_domain

NO_LISTS = HostLists({}, {}, "")


def lists_of(folder: Path, files: dict[str, str], categories: tuple[str, ...] | None = None) -> HostLists:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content.encode()) if name.endswith(".gz") else content.encode())
    return HostLists.load(HostsConfig(lists=str(folder), categories=categories))


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("www.example.co.jp", "example.co.jp"),
        ("a.b.example.com", "example.com"),
        ("example.com", "example.com"),
        ("someone.github.io", "github.io"),
        ("co.jp", "co.jp"),
        ("localhost", "localhost"),
        ("192.0.2.17", "192.0.2.17"),
        ("2001:db8::1", "2001:db8::1"),
        ("www.example.xn--wgbh1c", "example.xn--wgbh1c"),
    ],
)
def test_registered_domain(host: str, domain: str) -> None:
    assert registered_domain(host) == domain


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("Example.COM.", "example.com"),
        ("[2001:DB8::1]", "2001:db8::1"),
        ("日本語.jp", "xn--wgv71a119e.jp"),
        ("あ" * 80 + ".jp", "あ" * 80 + ".jp"),
    ],
)
def test_normal_host(written: str, normal: str) -> None:
    assert normal_host(written) == normal


LABELS = st.lists(
    st.sampled_from(["www", "a", "example", "co", "jp", "com", "github", "io", "1", "例え", ""]), min_size=1, max_size=5
)


@given(LABELS, st.sets(LABELS.map(".".join), max_size=6))
def test_the_longest_entry_up_to_the_registered_domain_matches(labels: list[str], listed: set[str]) -> None:
    """Compared with a walk over all names from the host to its registered domain."""
    host = normal_host(".".join(labels))
    names = [host]
    while names[-1] and names[-1] != registered_domain(host):
        names.append(names[-1].partition(".")[2])
    found = HostLists({normal_host(name): "list" for name in listed if name}, {}, "").match_host(host)
    expected = next((name for name in names if name and name in {normal_host(each) for each in listed if each}), None)
    assert found == (None if expected is None else ("list", expected))


@pytest.mark.parametrize("host", ["listed.example", "sub.listed.example", "a.b.LISTED.example.", "日本語.jp", "192.0.2.17"])
def test_an_entry_matches_its_host_and_all_below(tmp_path: Path, host: str) -> None:
    lists = lists_of(tmp_path, {"bad.txt": "listed.example\nxn--wgv71a119e.jp\n192.0.2.17\n"})
    found = lists.match(host, f"http://{host}/page")
    assert found is not None
    assert found[0] == "bad"


@pytest.mark.parametrize("host", ["notlisted.example", "example", "listed.example.jp", "8.192.0.2.17", "92.0.2.17", ""])
def test_an_entry_matches_no_other_host(tmp_path: Path, host: str) -> None:
    lists = lists_of(tmp_path, {"bad.txt": "listed.example\n192.0.2.17\n2.17\n"})
    assert lists.match(host, f"http://{host}/") is None


def test_a_public_suffix_in_a_list_does_not_drop_a_country(tmp_path: Path) -> None:
    lists = lists_of(tmp_path, {"bad.txt": "co.jp\ngithub.io\n"})
    assert lists.match("www.example.co.jp", "") is None
    assert lists.match("someone.github.io", "") == ("bad", "github.io")


@pytest.mark.parametrize("path", ["/user/a", "/user/a/", "/user/a/b.html", "/user/a?page=2", "/user/a#top", "/dir/", "/dir/x"])
def test_an_entry_with_a_path_matches_addresses_that_begin_with_it(tmp_path: Path, path: str) -> None:
    lists = lists_of(tmp_path, {"bad/urls": "blog.example/user/a\nblog.example/dir/\n"})
    assert lists.match("www.blog.example", f"https://www.blog.example{path}") is not None
    assert lists.match_host("blog.example") is None


@pytest.mark.parametrize("path", ["", "/", "/user/", "/user/ab", "/user/A", "/dir", "/x/user/a", "?/user/a"])
def test_an_entry_with_a_path_matches_no_other_address(tmp_path: Path, path: str) -> None:
    lists = lists_of(tmp_path, {"bad/urls": "blog.example/user/a\nblog.example/dir/\n"})
    assert lists.match("blog.example", f"https://blog.example{path}") is None
    assert lists.match("other.example", f"https://other.example{path}") is None


@given(host=st.text(max_size=30) | st.text(alphabet="a.-:[]0あ", max_size=12), url=st.text(max_size=30))
def test_any_text_may_stand_for_a_host(host: str, url: str) -> None:
    lists = HostLists({"a.example": "bad"}, {"a": (("/x", "bad"),)}, "")
    assert lists.match(host, url) in (None, ("bad", "a.example"), ("bad", "a/x"))


def test_all_layouts_of_ut1_are_read(tmp_path: Path) -> None:
    files = {
        "dating/domains": "a.example\n",
        "dating/usage": "black\n",
        "dating/expressions": "(^|[-.])b.example\n",
        "games_domains.txt.gz": "c.example\nd.example/\n",
        "games_urls.txt.gz": "e.example/play\n",
        "own.txt": "# a comment\n\nhttps://F.example/shop  # and why\n*.g.example\r\n.h.example\n",
        "README.md": "Lists of the year.\n",
    }
    lists = lists_of(tmp_path, files)
    assert lists.hosts == {
        "a.example": "dating",
        "c.example": "games",
        "d.example": "games",
        "g.example": "own",
        "h.example": "own",
    }
    assert lists.addresses == {"e.example": (("/play", "games"),), "f.example": (("/shop", "own"),)}
    assert set(lists_of(tmp_path, {}, ("games",)).hosts) == {"c.example", "d.example"}


def test_the_digest_tells_entries_and_names_but_not_places(tmp_path: Path) -> None:
    one = lists_of(tmp_path / "one", {"a.txt": "x.example\n"})
    assert lists_of(tmp_path / "two", {"a_domains.txt.gz": "x.example\n"}).digest == one.digest
    assert lists_of(tmp_path / "three", {"b.txt": "x.example\n"}).digest != one.digest
    assert lists_of(tmp_path / "four", {"a.txt": "y.example\n"}).digest != one.digest
    blocking = HostsConfig(lists=str(tmp_path / "one"), block=("z.example",))
    assert HostLists.load(blocking).digest != one.digest


def test_hosts_of_the_manifest_are_blocked_beside_the_bundled_list() -> None:
    lists = HostLists.load(HostsConfig(block=("z.example", "blog.example/user")))
    assert lists.match("www.z.example", "") == ("block", "z.example")
    assert lists.match("blog.example", "http://blog.example/user/1") == ("block", "blog.example/user")
    assert lists.match("ja.wikipedia.org", "") == ("hosts", "wikipedia.org")
    assert lists.match("notwikipedia.org", "") is None
    assert lists.match("www.blocked-ads.example", "") == ("hosts", "blocked-ads.example")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"lists": "{folder}/none"}, "hosts.lists: no such file or folder: .*none"),
        ({"lists": "{folder}/empty"}, "hosts.lists: no host lists in .*empty; expected"),
        ({"lists": "{folder}/lists", "categories": ["gamez"]}, "hosts.categories: no list 'gamez' .* mean 'games'"),
        ({"categories": ["games"]}, "hosts.categories: the bundled list has none"),
        ({"lists": "{folder}/lists/hosts.txt"}, "hosts.txt, line 2: '0.0.0.0 a.example' is no host; expected"),
        ({"lists": "{folder}/lists/cut.txt.gz"}, "hosts.lists: cannot read .*cut.txt.gz"),
        ({"lists": "{folder}/lists/latin.txt"}, "hosts.lists: cannot read .*latin.txt: .*; expected UTF-8"),
        ({"block": ["/path"]}, "hosts.block, line 1: '/path' names no host"),
    ],
)
def test_errors_name_the_key_and_the_remedy(tmp_path: Path, config: dict[str, object], message: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "usage").write_text("black\n")
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "games.txt").write_text("a.example\n")
    (tmp_path / "lists" / "hosts.txt").write_text("# a hosts file\n0.0.0.0 a.example\n")
    (tmp_path / "lists" / "cut.txt.gz").write_bytes(gzip.compress(b"a.example\n" * 99)[:-9])
    (tmp_path / "lists" / "latin.txt").write_bytes("é.example\n".encode("latin-1"))
    if "lists" in config:
        config = config | {"lists": str(config["lists"]).format(folder=tmp_path)}
    with pytest.raises(HostListError, match=message):
        HostLists.load(HostsConfig.model_validate(config))


def test_a_share_above_one_is_refused() -> None:
    with pytest.raises(ValidationError, match="dating_page_share"):
        HostsConfig(dating_page_share=1.5)


def judged(
    pages: Sequence[tuple[str | None, int, int, bool]], config: HostsConfig, lists: HostLists = NO_LISTS
) -> tuple[list[tuple[str | None, float | None, float | None]], dict[str, dict[str, object]]]:
    """Verdicts as (rule, value, threshold) and counts by host of pages given as (host, characters, NG characters, dating)."""
    hosts, n_chars, ng, dating = zip(*pages, strict=True)
    verdicts, counts = judge_hosts(
        doc_id=pa.array([f"{index:032x}" for index in range(len(pages))]),
        host=pa.chunked_array([pa.array(hosts, pa.string())]),
        url=pa.array([host and f"https://{host}/page/{index}" for index, host in enumerate(hosts)], pa.string()),
        n_chars=np.array(n_chars),
        ng_characters=np.array(ng),
        is_dating_page=np.array(dating),
        lists=lists,
        config=config,
    )
    assert verdicts.schema == rules.VERDICT_SCHEMA
    named = [(row["rule"], row["value"], row["threshold"]) for row in verdicts.to_pylist()]
    return named, {row.pop("host"): row for row in counts.to_pylist()}


def test_a_host_at_the_share_is_kept_and_above_it_dropped() -> None:
    config = HostsConfig(minimum_pages=1, minimum_dating_pages=1)
    pages = [("at.example", 1000, 5, False), ("above.example", 1000, 6, False)]
    pages += [("at.dating.example", 10, 0, page == 0) for page in range(1000)]
    pages += [("above.dating.example", 10, 0, page == 0) for page in range(999)]
    verdicts, counts = judged(pages, config)
    assert verdicts[0] == (None, None, None)
    assert verdicts[1] == ("ng_character_share", 0.006, 0.005)
    assert verdicts[2:1002] == [(None, None, None)] * 1000
    assert verdicts[1002:] == [("dating_page_share", 1 / 999, 0.001)] * 999
    assert counts["at.dating.example"]["dating_page_share"] == 0.001


def test_shares_are_of_all_pages_of_a_host() -> None:
    """Nine clean pages compensate for one page with an NG expression in one of fifty characters."""
    verdicts, counts = judged([("a.example", 1000, 20 * (page == 0), False) for page in range(10)], HostsConfig())
    assert {rule for rule, _, _ in verdicts} == {None}
    assert counts["a.example"] == {
        "docs_in": 10,
        "docs_out": 10,
        "chars_in": 10_000,
        "chars_out": 10_000,
        "listed_pages": 0,
        "list": None,
        "entry": None,
        "ng_characters": 20,
        "ng_character_share": 0.002,
        "dating_pages": 0,
        "dating_page_share": 0.0,
    }


def test_few_pages_say_nothing_of_a_host() -> None:
    nine = [("a.example", 100, 50, True)] * 9
    assert {rule for rule, _, _ in judged(nine, HostsConfig())[0]} == {None}
    assert {rule for rule, _, _ in judged([*nine, nine[0]], HostsConfig())[0]} == {"ng_character_share"}
    assert {rule for rule, _, _ in judged(nine, HostsConfig(minimum_pages=9))[0]} == {"ng_character_share"}


def test_one_dating_page_does_not_drop_a_host() -> None:
    one = [("a.example", 100, 0, page < 1) for page in range(20)]
    two = [("a.example", 100, 0, page < 2) for page in range(20)]
    assert {rule for rule, _, _ in judged(one, HostsConfig())[0]} == {None}
    assert {rule for rule, _, _ in judged(two, HostsConfig())[0]} == {"dating_page_share"}
    assert {rule for rule, _, _ in judged(one, HostsConfig(minimum_dating_pages=1))[0]} == {"dating_page_share"}


def test_listed_hosts_and_addresses_are_dropped_whatever_their_number() -> None:
    lists = HostLists({"bad.example": "games"}, {"mixed.example": (("/page/1", "urls"),)}, "")
    pages = [("www.bad.example", 100, 0, False), ("mixed.example", 200, 0, False), ("mixed.example", 300, 0, False)]
    verdicts, counts = judged(pages, HostsConfig(), lists)
    assert verdicts == [("listed_host", 1.0, 0.0), ("listed_host", 1.0, 0.0), (None, None, None)]
    assert counts["www.bad.example"]["list"] == "games"
    assert counts["www.bad.example"]["entry"] == "bad.example"
    assert (counts["mixed.example"]["listed_pages"], counts["mixed.example"]["list"]) == (1, None)
    assert (counts["mixed.example"]["docs_out"], counts["mixed.example"]["chars_out"]) == (1, 300)


def test_documents_without_a_host_are_no_host() -> None:
    verdicts, counts = judged([(None, 100, 100, True)] * 50, HostsConfig(), HostLists({"": "bad"}, {}, ""))
    assert {rule for rule, _, _ in verdicts} == {None}
    assert counts[""]["docs_out"] == 50


def test_every_host_is_counted_once_and_in_order() -> None:
    hosts = [f"h{index % 7}.example" for index in range(100)]
    _, counts = judged([(host, 10, 0, False) for host in hosts], HostsConfig())
    assert list(counts) == sorted(set(hosts))
    assert [row["docs_in"] for row in counts.values()] == [hosts.count(host) for host in counts]


def test_no_documents_give_empty_tables() -> None:
    empty = pa.array([], pa.string())
    nothing = np.zeros(0)
    verdicts, counts = judge_hosts(
        doc_id=empty,
        host=empty,
        url=empty,
        n_chars=nothing,
        ng_characters=nothing,
        is_dating_page=nothing,
        lists=NO_LISTS,
        config=HostsConfig(),
    )
    assert verdicts.num_rows == counts.num_rows == 0
