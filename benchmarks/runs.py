"""Shared by the benchmarks of whole programs: WARC files to run over, and the cost of running a command.

Commands run in the benchmark's process group, one after the other, each over the same files.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from fastwarc.stream_io import GzipWriter
from fastwarc.warc import ArchiveIterator

SAMPLING_SECONDS = 0.2
TICKS = os.sysconf("SC_CLK_TCK")  # clock ticks per second of processor time, as /proc counts it


class Cost(NamedTuple):
    """Cost of one run with all its processes: wall-clock seconds, processor seconds, and peaks of memory in bytes."""

    seconds: float
    processor_seconds: float
    driver_bytes: int
    largest_bytes: int  # of the largest other process


def cost_of(command: list[str]) -> Cost:
    """Run a command and follow its process and all descendants until it ends; its standard output is discarded.

    Peaks are the kernel's own (VmHWM). Processor time of a process in its last `SAMPLING_SECONDS` is missed. If the command
    fails, the benchmark exits and shows the end of the command's standard error.
    """
    began = time.monotonic()
    computed: dict[int, float] = {}
    peaks: dict[int, int] = {}
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said)
        while process.poll() is None:
            for process_id in family_of(process.pid):
                try:
                    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
                    lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
                except OSError:
                    continue  # it has ended
                computed[process_id] = (int(fields[11]) + int(fields[12])) / TICKS  # utime and stime, proc_pid_stat(5)
                peak = next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)
                peaks[process_id] = max(peak, peaks.get(process_id, 0))
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(SAMPLING_SECONDS)
        if process.returncode:
            said.seek(0)
            sys.exit(f"{' '.join(command)} ended with status {process.returncode}:\n{said.read().decode()[-2000:]}")
    driver = peaks.pop(process.pid, 0)
    return Cost(time.monotonic() - began, sum(computed.values()), driver, max(peaks.values(), default=0))


def family_of(process_id: int) -> list[int]:
    """A process and all its descendants, as the kernel lists them."""
    family = [process_id]
    for member in family:
        with contextlib.suppress(OSError):
            family += map(int, Path(f"/proc/{member}/task/{member}/children").read_text().split())
    return family


def pipeline_command(inputs: str, output: Path, workers: int, *settings: str) -> list[str]:
    """The command that runs the default manifest over `inputs`, with settings such as `extract.extractor=blocks`."""
    command = [sys.executable, "-m", "pipeline", "run", "manifests/ja_web.yaml", "--input", inputs, "--output", str(output)]
    return [*command, "--workers", str(workers), "--json", *(part for setting in settings for part in ("--set", setting))]


def copy_records(source: Path, target: Path, first: int = 0, count: int | None = None, mark: str = "") -> int:
    """Write `count` pages of the WARC `source`, starting with page number `first`, to `target`; returns how many were written.

    `mark` becomes part of ids and hosts, so that a copied page counts as another record on another site.
    """
    pages = 0
    with target.open("wb") as stream, source.open("rb") as original:
        for record in ArchiveIterator(original, parse_http=False):
            is_page = record.headers.get("WARC-Type") == "response"
            if not is_page or pages < first or (count is not None and pages >= first + count):
                pages += is_page
                continue
            pages += 1
            if mark:
                scheme, _, rest = (record.headers.get("WARC-Target-URI") or "").partition("://")
                record.headers["WARC-Target-URI"] = f"{scheme}://{mark}.{rest}"
                record.headers["WARC-Record-ID"] = f"<urn:uuid:{mark}-{(record.record_id or '').removeprefix('<urn:uuid:')}"
            with GzipWriter(stream) as member:
                record.write(member)
    return max(0, min(pages - first, pages if count is None else count))
