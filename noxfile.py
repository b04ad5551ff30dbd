"""All checks by one command: `nox` runs them in turn, `nox --session lint` one of them, `nox --list` names them.

Sessions run in the environment that nox runs in (`pip install -c constraints.txt -e '.[test]' nox`), so that a check takes no
longer than the check itself; `.ci/run` starts from an empty environment.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "test"]

CONSTRAINTS = Path(__file__).parent / "constraints.txt"
# What constraints.txt covers: `test` contains `train`. The extras `s3` and `wandb` are not tested, so they are not pinned.
EXTRAS = "test"
# These follow torch, which names their exact versions, and only its builds for GPUs have them.
FOLLOW_TORCH = re.compile("nvidia-|cuda-|triton")
HEADER = """\
# One version of each package that `pip install '.[{extras}]'` installs, the indirect ones too. pyproject.toml has the ranges.
# Written by `nox --session constraints`; `nox --session constraints -- upgrade` takes the newest versions, except of torch.
"""


@nox.session
def lint(session: nox.Session) -> None:
    """Style and layout: ruff."""
    session.run(sys.executable, "-m", "ruff", "check", ".")
    session.run(sys.executable, "-m", "ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Types: mypy."""
    session.run(sys.executable, "-m", "mypy")


@nox.session
def test(session: nox.Session) -> None:
    """All tests, or those named after `--`."""
    session.run(sys.executable, "-m", "pytest", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """The tests of README, cookbook and docs/ alone; `test` contains them."""
    session.run(sys.executable, "-m", "pytest", "-n0", "tests/test_readme.py", "tests/test_cookbook.py", "tests/test_docs.py")


@nox.session
def constraints(session: nox.Session) -> None:
    """Write constraints.txt anew: pins of packages that are no longer needed go, new ones come, the others stay.

    With `-- upgrade` the newest versions that pyproject.toml allows; torch stays, as an upgrade of it is measured first.
    """
    pinned = CONSTRAINTS.read_text(encoding="utf-8")
    kept = "\n".join(re.findall(r"^torch==.*$", pinned, re.MULTILINE)) if "upgrade" in session.posargs else pinned
    with tempfile.TemporaryDirectory() as folder:
        requested = Path(folder) / "constraints.txt"
        requested.write_text(kept, encoding="utf-8")
        resolve = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-"]
        answer = subprocess.run([*resolve, "-c", str(requested), f".[{EXTRAS}]"], check=True, stdout=subprocess.PIPE, text=True)
    packages = [item["metadata"] for item in json.loads(answer.stdout)["install"]]
    lines = [
        # A build of torch for CPUs has a version of its own, 2.13.0+cpu, which no other machine could install.
        f"{package['name']}=={package['version'].partition('+')[0]}"
        for package in sorted(packages, key=lambda package: package["name"].lower())
        if package["name"] != "kotokura" and not FOLLOW_TORCH.match(package["name"])
    ]
    CONSTRAINTS.write_text(HEADER.format(extras=EXTRAS) + "\n".join(lines) + "\n", encoding="utf-8")
    session.log(f"{CONSTRAINTS.name}: {len(lines)} packages")
