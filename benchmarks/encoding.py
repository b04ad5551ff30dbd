"""Encoding into tokens: the pipeline's `encode_batch` compared with direct calls of the tokenizer library on the same list.

    python -m benchmarks.encoding --shared ../shared

Both kinds of tokenizer are trained on some of the texts. The library returns lists of ids; the pipeline returns one array of
the shards' type, with offsets, after cutting long texts and spelling U+2581. One thread on both sides.
"""

import argparse
import base64
import json
from pathlib import Path

import pyarrow.parquet as pq
import sentencepiece
import tiktoken

from benchmarks.turns import compare
from pipeline.tokens.config import TokenizerConfig
from pipeline.tokens.tokenizer import PATTERN_FILE, RANKS_FILE, SENTENCEPIECE_FILE, Tokenizer
from pipeline.tokens.training import train_tokenizer

TEXTS = 1000  # about a second of work
SAMPLE = 500_000  # characters: enough for the vocabulary, and training takes half a minute


def tiktoken_of(tokenizer: Tokenizer) -> tiktoken.Encoding:
    """The library's own object with the same byte pairs."""
    lines = (line.split() for line in tokenizer.files[RANKS_FILE].splitlines())
    ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
    pattern = json.loads(tokenizer.files[PATTERN_FILE])["pattern"]
    return tiktoken.Encoding("benchmark", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})


def main() -> None:
    """Print a table per kind of tokenizer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True, help="the folder that holds corpus/")
    stored = pq.read_table(parser.parse_args().shared / "corpus" / "JACCARD_TEXTS.parquet", columns=["text"])["text"]
    texts = stored.to_pylist()[:: max(1, len(stored) // TEXTS)]
    unigram = train_tokenizer(texts, TokenizerConfig(kind="sentencepiece", vocabulary=16_000, sample_characters=SAMPLE))
    pairs = train_tokenizer(texts, TokenizerConfig(kind="bpe", vocabulary=16_000, sample_characters=SAMPLE))
    processor = sentencepiece.SentencePieceProcessor(model_proto=unigram.files[SENTENCEPIECE_FILE])
    encoding = tiktoken_of(pairs)
    compare(
        "SentencePiece, 16,000 pieces",
        "texts",
        len(texts),
        {
            "this project": lambda: unigram.encode_batch(texts),
            "sentencepiece on the list": lambda: processor.encode(texts, num_threads=1),
        },
    )
    compare(
        "byte pairs, 16,000 tokens",
        "texts",
        len(texts),
        {
            "this project": lambda: pairs.encode_batch(texts),
            "tiktoken on the list": lambda: encoding.encode_ordinary_batch(texts, num_threads=1),
        },
    )


if __name__ == "__main__":
    main()
