"""Runs with a small model and tokenizer, written by the functions of training; and full disks."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model.gpt import GPT
from model.weights import TOKENIZER_FOLDER, save_weights
from pipeline.tokens.byte_pairs import byte_pair_files
from pipeline.tokens.opening import tokenizer_of
from pipeline.tokens.tokenizer import DELIMITER, Tokenizer
from pipeline.tokens.training import PATTERN
from tests.model.hugging_face.test_tokenizer import sentencepiece_files
from trainer.checkpoints.folder import commit, writing

TOKENIZERS = ("sentencepiece", "space before the text", "bytes")


def small_tokenizer(kind: str = "sentencepiece") -> Tokenizer:
    """One of TOKENIZERS, each of fewer than 500 ids."""
    if kind == "bytes":
        return tokenizer_of(byte_pair_files({bytes([byte]): byte for byte in range(256)}, PATTERN, {DELIMITER: 256}))
    return tokenizer_of(sentencepiece_files(add_dummy_prefix=kind == "space before the text"))


def write_checkpoint(run: Path, model: GPT, tokenizer: Tokenizer, step: int = 1) -> Path:
    """Write a checkpoint of `run` with both; return its folder."""
    with writing(run, step) as temporary:
        save_weights(temporary, model.config, model.state_dict())
        tokenizer.save(temporary / TOKENIZER_FOLDER)
        return commit(temporary, step, validation=None, permanent=False).path


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Make writing more than `size` bytes to a file fail, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
