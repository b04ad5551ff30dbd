"""How fast the project is, compared with its peers: one program per subject, run one after the other on the same data.

    python -m benchmarks --shared ../shared [--only whole_pipeline]

The folder `shared` holds `corpus/` and `extraction_gold/`. Every subject runs in a new process, so that none inherits another's
memory or threads, and prints its own table. The top of its file says what it compares. Peers are installed in environments of
their own (`benchmarks/requirements/`); a peer that is not installed gets a row that says so. Accuracy is measured by
`benchmarks/accuracy`.
"""

import argparse
import importlib.metadata
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.runs import cost_of, pipeline_command
from benchmarks.turns import console

SHARED = ("--shared", "{shared}")
# What each subject runs: a module and its arguments. {tokens} is a token dataset made from the corpus for the subject.
SUBJECTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "whole_pipeline": tuple(("benchmarks.whole_pipeline", *SHARED, "--files", files) for files in ("*", "ja_web-*")),
    "other_languages": (("benchmarks.other_languages", *SHARED),),
    "main_text": (("benchmarks.main_text", "{shared}/extraction_gold"),),
    "swallow_numbers": (("benchmarks.swallow_numbers", *SHARED),),
    "near_duplicates": (("benchmarks.near_duplicates", *SHARED),),
    "clustering": tuple(
        ("benchmarks.near_duplicates", *SHARED, "--clustering", count) for count in ("1000000", "3000000", "10000000")
    ),
    "personal_data": (("benchmarks.personal_data", *SHARED),),
    "encoding": (("benchmarks.encoding", *SHARED),),
    "scaling": (("benchmarks.scaling", *SHARED),),
    "loader": (("benchmarks.loader", "{tokens}"),),
    "training_step": (("benchmarks.training_step",),),
    "generation": (("benchmarks.generation",),),
}
# Packages whose versions a figure depends on, besides Python's.
PACKAGES = (
    *("numpy", "numba", "pyarrow", "fastwarc", "sentencepiece", "tiktoken", "torch", "trafilatura", "resiliparse"),
    *("phonenumbers", "datatrove", "datasketch", "rensa", "litdata", "mosaicml-streaming", "transformers"),
)


def describe() -> str:
    """Date, machine and versions, printed with the figures."""
    cpu_lines = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    model = cpu_lines[0].partition(":")[2].strip() if cpu_lines else platform.machine()
    revision = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout
    versions = [f"Python {platform.python_version()}", *(f"{name} {version_of(name)}" for name in PACKAGES)]
    return (
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores of {model}, revision {revision.strip() or 'unknown'}\n"
        + ", ".join(versions)
    )


def version_of(package: str) -> str:
    """The installed version of a package, `-` if it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "-"


def make_tokens(shared: Path, scratch: Path) -> Path:
    """Make a token dataset from the corpus."""
    cost_of(pipeline_command(str(shared / "corpus" / "*.warc.gz"), scratch, 2))
    return scratch / "tokens"


def main() -> None:
    """Run the subjects named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True, help="the folder that holds corpus/ and extraction_gold/")
    parser.add_argument("--only", choices=SUBJECTS, action="append", help="one subject; may be given more than once")
    arguments = parser.parse_args()
    corpus = arguments.shared / "corpus"
    if not corpus.is_dir():
        parser.error(f"--shared {arguments.shared}: {corpus} is missing; name the folder that holds corpus/")
    console.print(describe())
    chosen = [(name, program) for name in arguments.only or SUBJECTS for program in SUBJECTS[name]]
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as name:
        values = {"shared": str(arguments.shared)}
        if any("{tokens}" in program for _, program in chosen):
            values["tokens"] = str(make_tokens(arguments.shared, Path(name)))
        failed = []
        for subject, program in chosen:
            console.rule(subject)
            command = [sys.executable, "-m", *(part.format(**values) for part in program)]
            if subprocess.run(command, check=False).returncode:
                failed.append(" ".join(command))
    if failed:
        sys.exit("these ended with an error:\n" + "\n".join(failed))


if __name__ == "__main__":
    main()
