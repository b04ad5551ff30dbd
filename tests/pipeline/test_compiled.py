"""What was compiled is taken again for the same sources alone, wherever in them the change is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.compiled import cache_folder, keep_compiled_code
from tests.conftest import ROOT

CALLED = "import numba\n\n\n@numba.njit(cache=True)\ndef called():\n    return 1\n"
CALLER = "import numba\nfrom called import called\n\n\n@numba.njit(cache=True)\ndef caller():\n    return called()\n"
PROGRAM = """
import os, sys
from pathlib import Path
from pipeline.compiled import keep_compiled_code

del os.environ["NUMBA_CACHE_DIR"]  # where the pipeline's own code is
keep_compiled_code(Path(sys.argv[1]))
from caller import caller

print(caller(), sum(caller.stats.cache_hits.values()))
"""


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    (tmp_path / "called.py").write_text(CALLED)
    (tmp_path / "caller.py").write_text(CALLER)
    (tmp_path / "words.py").write_text("WORDS = 1\n")
    return tmp_path


def answer(sources: Path) -> tuple[int, int]:
    """What the caller gives in a new process, and how often its code was found."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(sources), str(ROOT)])}
    command = [sys.executable, "-c", PROGRAM, str(sources)]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    number, found = said.split()
    return int(number), int(found)


def test_code_is_compiled_once_and_anew_when_what_it_calls_in_another_file_changes(sources: Path) -> None:
    assert answer(sources) == (1, 0)
    assert answer(sources) == (1, 1)
    (sources / "called.py").write_text(CALLED.replace("return 1", "return 2"))
    assert answer(sources) == (2, 0)


def test_only_files_with_compiled_code_have_a_say(sources: Path) -> None:
    before = cache_folder(sources)
    (sources / "words.py").write_text("WORDS = 2\n")
    assert cache_folder(sources) == before
    (sources / "caller.py").rename(sources / "renamed.py")
    assert cache_folder(sources) != before


def test_a_folder_that_the_user_names_stays(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", "somewhere")
    keep_compiled_code(sources)
    assert os.environ["NUMBA_CACHE_DIR"] == "somewhere"


def test_sources_that_cannot_be_written_beside_are_left_alone(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    (sources / "__pycache__").write_text("a file where a folder would be")
    keep_compiled_code(sources)
    assert "NUMBA_CACHE_DIR" not in os.environ
