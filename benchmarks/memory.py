"""How much memory a run takes as its input grows: the peak of the driver and of each worker, at 1 and N times a corpus.

    python -m benchmarks.memory --input '../shared/corpus/*.warc.gz' --times 8

The copies are no duplicates of each other as records: each has ids and URLs of its own (`http://copy3.` before the host), so
that all of them go through extraction, quality and dedup. Peaks are the kernel's own (VmHWM), read until the run ends.
"""

import argparse
import glob
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fastwarc.stream_io import GzipWriter
from fastwarc.warc import ArchiveIterator

SAMPLING_SECONDS = 0.2


def copy_of(source: str, target: Path, number: int) -> None:
    """Write the WARC `source` to `target` with ids and URLs that belong to copy `number` alone."""
    with target.open("wb") as stream, open(source, "rb") as original:
        for record in ArchiveIterator(original, parse_http=False):
            url = record.headers.get("WARC-Target-URI") or ""
            if url:
                scheme, _, rest = url.partition("://")
                record.headers["WARC-Target-URI"] = f"{scheme}://copy{number}.{rest}"
            record.headers["WARC-Record-ID"] = (record.record_id or "").replace("urn:uuid:", f"urn:uuid:{number:04d}")
            with GzipWriter(stream) as member:
                record.write(member)


def peak_bytes(process_id: int) -> int:
    """The kernel's peak of resident memory of a process, 0 when it is gone."""
    try:
        status = Path(f"/proc/{process_id}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)


def children_of(process_id: int) -> list[int]:
    """Direct children, as the kernel lists them."""
    try:
        return [int(child) for child in Path(f"/proc/{process_id}/task/{process_id}/children").read_text().split()]
    except OSError:
        return []


def measure(inputs: str, output: Path, workers: int) -> tuple[float, int, int]:
    """(seconds, peak of the driver, highest peak of a worker) of one run."""
    command = [sys.executable, "-m", "pipeline", "run", "manifests/ja_web.yaml", "--input", inputs, "--output", str(output)]
    began = time.monotonic()
    driver = worker = 0
    process = subprocess.Popen([*command, "--workers", str(workers), "--json"], stdout=subprocess.DEVNULL)
    while process.poll() is None:
        driver = max(driver, peak_bytes(process.pid))
        worker = max([worker, *(peak_bytes(child) for child in children_of(process.pid))])
        time.sleep(SAMPLING_SECONDS)
    if process.returncode:
        sys.exit(f"the run over {inputs} ended with status {process.returncode}")
    return time.monotonic() - began, driver, worker


def main() -> None:
    """Print a row for the corpus as it is and one for it so many times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--input", required=True, help="glob of WARC files")
    parser.add_argument("--times", type=int, default=8, help="how many copies the larger run has")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="memory-"))
    try:
        rows = [(1, *measure(arguments.input, scratch / "once", arguments.workers))]
        for number in range(arguments.times):
            for source in sorted(glob.glob(arguments.input)):
                copy_of(source, scratch / f"{number}-{Path(source).name}", number)
        rows.append((arguments.times, *measure(str(scratch / "*.warc.gz"), scratch / "many", arguments.workers)))
    finally:
        shutil.rmtree(scratch)
    lines = ["times   seconds   driver MiB   worker MiB"]
    for times, seconds, driver, worker in rows:
        lines.append(f"{times:>5}  {seconds:>8.1f}  {driver / 2**20:>11.0f}  {worker / 2**20:>11.0f}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
