"""Compiled code is reused only for the same sources, wherever in them a change is, and no run depends on its being kept."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.compiled import SOURCES, _user_cache, cache_folder, state_of
from tests.conftest import ROOT

CALLED = "from pipeline.compiled import njit\n\n\n@njit\ndef called():\n    return 1\n"
CALLER = """from pipeline.compiled import njit
from {package}.inner.called import called


@njit(nogil=True)
def caller():
    return called()
"""
PROGRAM = "from {package}.caller import caller\n\nprint(caller(), sum(caller.stats.cache_hits.values()))\n"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The package `trainer`, with a compiled function that calls one in a subfolder; `pipeline.compiled` is beside it."""
    for name in ("pipeline", "model", "trainer"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    shutil.copy(ROOT / "pipeline" / "compiled.py", tmp_path / "pipeline")
    folder = tmp_path / "trainer"
    (folder / "inner").mkdir()
    (folder / "inner" / "__init__.py").touch()
    (folder / "inner" / "called.py").write_text(CALLED)
    (folder / "caller.py").write_text(CALLER.format(package=folder.name))
    return folder


def answer(package: Path, **environment: str) -> tuple[int, int, str]:
    """What the caller returns in a new process, how often its code was found, and what else was printed."""
    kept = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    command = [sys.executable, "-c", PROGRAM.format(package=package.name)]
    run = subprocess.run(command, cwd=package.parent, env={**kept, **environment}, capture_output=True, text=True, check=True)
    number, found = run.stdout.split()
    return int(number), int(found), run.stderr


def test_code_is_compiled_once_and_anew_when_what_it_calls_in_another_file_changes(package: Path) -> None:
    assert answer(package) == (1, 0, "")
    assert answer(package) == (1, 1, "")
    (package / "inner" / "called.py").write_text(CALLED.replace("return 1", "return 2"))
    assert answer(package) == (2, 0, "")


@pytest.mark.parametrize("name", ["pipeline", "model", "trainer"])
def test_a_change_in_any_package_and_folder_is_another_state(tmp_path: Path, name: str) -> None:
    sources = [tmp_path / source for source in ("pipeline", "model", "trainer")]
    for source in sources:
        (source / "inner" / "most").mkdir(parents=True)
    before = state_of(sources)
    (tmp_path / name / "inner" / "most" / "called.py").write_text(CALLED)
    added = state_of(sources)
    (tmp_path / name / "inner" / "most" / "called.py").write_text(CALLED.replace("return 1", "return 2"))
    assert len({before, added, state_of(sources)}) == 3


def test_code_that_can_be_kept_nowhere_costs_a_line_and_not_the_run(package: Path) -> None:
    (package.parent / "pipeline" / "__pycache__").write_text("a file where a folder would be")
    (package.parent / "cache").write_text("another")
    number, found, said = answer(package, XDG_CACHE_HOME=str(package.parent / "cache"))
    assert (number, found) == (1, 0)
    assert said.count("\n") == 1
    assert "compiled code cannot be kept" in said


def test_only_files_with_compiled_functions_have_a_say(package: Path) -> None:
    before = state_of([package])
    (package / "words.py").write_text("WORDS = 2\n")
    assert state_of([package]) == before
    (package / "caller.py").rename(package / "renamed.py")
    assert state_of([package]) != before


def test_the_first_place_that_can_be_written_is_taken(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = cache_folder(SOURCES, (tmp_path / "file" / "no", tmp_path / "yes"))
    assert folder is not None
    assert folder.parent == tmp_path / "yes"
    assert cache_folder(SOURCES, (tmp_path / "file" / "no",)) is None


def test_a_folder_that_the_user_names_is_taken(package: Path, tmp_path: Path) -> None:
    assert answer(package, NUMBA_CACHE_DIR=str(tmp_path / "named"))[0] == 1
    assert list((tmp_path / "named").iterdir())


def test_importing_the_package_writes_nothing_and_compiles_nothing(tmp_path: Path) -> None:
    for name in ("pipeline", "model", "trainer"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    program = "import sys, os; before = dict(os.environ); import pipeline, model, trainer, pipeline.manifest\n"
    program += "assert 'numba' not in sys.modules and dict(os.environ) == before"
    subprocess.run([sys.executable, "-B", "-c", program], cwd=tmp_path, check=True)
    assert not list(tmp_path.rglob("__pycache__"))


def test_a_user_without_a_home_has_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "expanduser", no_home)
    assert _user_cache().name.startswith("kotokura-")
