"""The speed of the training loader compared with its peers, and how long it takes to resume from any place.

    python -m benchmarks.loader TOKENS [--scratch FOLDER]

TOKENS is a folder of token shards. Its training split, repeated until there are 2^27 tokens, is written to FOLDER once in each
loader's format. Every turn is a process of its own: it checks a batch against the stream, then counts tokens for some seconds.
The loaders take turns, and the table shows medians. Pages come from memory, since the stream fits there. Memory is the
proportional set size that the turn added to the process and its workers, so that shared pages count once. On a busy machine
look at CPU time, which sums all threads and workers; its column shows the minimum of the turns.

`benchmarks/loader/memory.py` shows that memory does not grow with the shards.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.loader.peers import Data
from benchmarks.loader.restoring import show_restoring
from benchmarks.loader.speed import show_speed, turn
from benchmarks.loader.stream import write_stream
from pipeline.tokens.dataset import TokenDataset


def main() -> None:
    """Write the formats that are missing, time the loaders, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokens", type=Path, nargs="?", help="folder of token shards")
    parser.add_argument("--scratch", type=Path, help="where the formats are written, and kept; by default nowhere")
    parser.add_argument("--turn", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.turn:
        folder, length, delimiter, name, workers, batch = json.loads(arguments.turn)
        measured = turn(Data(Path(folder), length, delimiter), name, workers, batch)
        sys.stdout.write(json.dumps([measured.seconds, measured.cpu_seconds, measured.memory]) + "\n")
        return
    if arguments.tokens is None:
        parser.error("name a folder of token shards")
    with tempfile.TemporaryDirectory(prefix="loader-") as temporary:
        data = Data(arguments.scratch or Path(temporary), 0, TokenDataset.open(arguments.tokens).meta.delimiter_id)
        if not data.shards.exists():
            write_stream(arguments.tokens, data)
        show_restoring(data)
        show_speed(data)


if __name__ == "__main__":
    main()
