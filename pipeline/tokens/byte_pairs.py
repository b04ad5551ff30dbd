"""Byte-pair tokenizers: the models of tiktoken, and those trained here."""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tiktoken

from pipeline.tokens.store import token_dtype
from pipeline.tokens.tokenizer import (
    DELIMITER,
    PATTERN_FILE,
    RANKS_FILE,
    Tokenizer,
    TokenizerError,
    _blocks,
    _checked,
    _cut,
    _digest,
    _flat,
    _save,
    surrogate_error,
)


class BytePairTokenizer:
    """Byte pairs with ranks, encoded by tiktoken. The delimiter is `<|endoftext|>`. Raises TokenizerError for damaged files."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files
        self.digest = _digest(files)
        try:
            lines = [line.split() for line in files[RANKS_FILE].splitlines()]
            ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
            cutting = json.loads(files[PATTERN_FILE])
            special = cutting["special_tokens"]
            pattern = cutting["pattern"]
            self._model = tiktoken.Encoding(self.digest, pat_str=pattern, mergeable_ranks=ranks, special_tokens=special)
            self.delimiter_id: int = special[DELIMITER]
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise TokenizerError(f"{RANKS_FILE} and {PATTERN_FILE} hold no tokenizer ({error!r}); write them again") from error
        self.delimiter = DELIMITER
        self.vocabulary_size: int = self._model.n_vocab
        self._dtype = token_dtype(self.vocabulary_size)
        self._special_ids = np.array(list(special.values()))

    def encode_batch(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.unsignedinteger[Any]], npt.NDArray[np.int64]]:
        pieces, ends = _cut(texts, _blocks)
        try:
            # Special tokens are neither allowed nor forbidden: their names in a text are plain text.
            encoded = [self._model.encode_to_numpy(piece, allowed_special=set(), disallowed_special=()) for piece in pieces]
        except UnicodeEncodeError as error:
            raise surrogate_error(error) from error
        return _flat(encoded, ends, self._dtype)

    def count_batch(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        return np.diff(self.encode_batch(texts)[1])

    def decode(self, ids: Sequence[int] | npt.NDArray[np.integer[Any]]) -> str:
        checked = _checked(ids, self.vocabulary_size)
        try:
            return self._model.decode(checked[~np.isin(checked, self._special_ids)].tolist())
        except KeyError as error:
            raise TokenizerError(f"no token has the id {error}; decode with the tokenizer that encoded") from error

    def save(self, folder: Path) -> None:
        _save(self.files, folder)


def byte_pair_files(ranks: Mapping[bytes, int], pattern: str, special_tokens: Mapping[str, int]) -> dict[str, bytes]:
    """The files of a `BytePairTokenizer`, name to content.

    ranks: each token's bytes and id. pattern: the expression that splits text before merging. special_tokens: names and ids.
    """
    in_order = sorted(ranks.items(), key=lambda item: item[1])
    lines = b"".join(base64.b64encode(token) + f" {rank}\n".encode() for token, rank in in_order)
    cutting = {"pattern": pattern, "special_tokens": dict(special_tokens)}
    return {RANKS_FILE: lines, PATTERN_FILE: (json.dumps(cutting, indent=1, sort_keys=True) + "\n").encode()}


def known_to_tiktoken(name: str) -> Tokenizer:
    """A model from tiktoken's own list; its files come from the folder TIKTOKEN_CACHE_DIR or from the network.

    Raises TokenizerError for an unknown name, and if the files cannot be had.
    """
    names = tiktoken.list_encoding_names()
    if name not in names:
        raise TokenizerError(f"tiktoken does not know it; it knows {', '.join(names)}")
    try:
        known = tiktoken.get_encoding(name)
    except (OSError, ValueError) as error:  # requests' errors are OSErrors; a file with a wrong hash is a ValueError
        raise TokenizerError(
            f"its files are neither in the folder TIKTOKEN_CACHE_DIR nor to be had from the network ({error}); "
            "set TIKTOKEN_CACHE_DIR to a folder in which tiktoken has once put them"
        ) from error
    # tiktoken's README names these three attributes for building one encoding from another.
    return BytePairTokenizer(byte_pair_files(known._mergeable_ranks, known._pat_str, known._special_tokens))
