"""The peer of `benchmarks/whole_pipeline.py`: the pipeline's steps made of datatrove's own blocks, following its own examples.

    python -m benchmarks.datatrove_pipeline INPUT OUTPUT TOKENIZER

INPUT is a folder of WARC files, TOKENIZER a `tokenizer.json`. The blocks and their order are those of datatrove's example
`minhash_deduplication.py`, after the reader, extractor and repetition filter of its `fineweb.py`. Words are split by Sudachi,
datatrove's default for Japanese; signatures have as many hashes as the project's. One process per file, two at a time.
"""

import argparse
from pathlib import Path

from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.extractors import Trafilatura
from datatrove.pipeline.filters import GopherRepetitionFilter
from datatrove.pipeline.readers import JsonlReader, WarcReader
from datatrove.pipeline.tokens import TokensCounter
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.typeshelper import Languages

from pipeline.dedup.config import DedupConfig

WORKERS = 2
EXTRACT_SECONDS = 20.0  # the project's own limit; with datatrove's 1 s a busy machine would drop pages that the project reads


def run(warc: Path, output: Path, tokenizer: Path) -> None:
    """Read, extract, filter and count; then sign, find buckets, cluster and filter."""
    dedup = DedupConfig()
    config = MinhashConfig(n_grams=dedup.shingle, num_buckets=dedup.bands, hashes_per_bucket=dedup.rows)
    files = len(list(warc.glob("*.warc.gz")))
    folder = {name: str(output / name) for name in ("extracted", "signatures", "buckets", "duplicates", "kept", "logs")}
    steps = [
        (
            [
                WarcReader(str(warc), glob_pattern="*.warc.gz"),
                Trafilatura(timeout=EXTRACT_SECONDS),
                GopherRepetitionFilter(language=Languages.japanese__jpan),
                TokensCounter(str(tokenizer)),
                JsonlWriter(folder["extracted"]),
            ],
            files,
        ),
        (
            [
                JsonlReader(folder["extracted"]),
                MinhashDedupSignature(folder["signatures"], config=config, language=Languages.japanese__jpan),
            ],
            files,
        ),
        ([MinhashDedupBuckets(folder["signatures"], folder["buckets"], config=config)], config.num_buckets),
        ([MinhashDedupCluster(folder["buckets"], folder["duplicates"], config=config)], 1),
        ([JsonlReader(folder["extracted"]), MinhashDedupFilter(folder["duplicates"]), JsonlWriter(folder["kept"])], files),
    ]
    for number, (pipeline, tasks) in enumerate(steps):
        LocalPipelineExecutor(
            pipeline=pipeline, tasks=tasks, workers=WORKERS, logging_dir=f"{folder['logs']}/{number}", skip_completed=False
        ).run()


def main() -> None:
    """Run the steps over the files named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("tokenizer", type=Path)
    arguments = parser.parse_args()
    run(arguments.input, arguments.output, arguments.tokenizer)


if __name__ == "__main__":
    main()
