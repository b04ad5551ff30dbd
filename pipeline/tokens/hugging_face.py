"""Tokenizers of Hugging Face's library: a `tokenizer.json`, encoded by the library `tokenizers` itself.

So the ids are those that a public model was trained with. Three things of the file are left out, because they would add or change
tokens: what encoding adds (its post-processor), truncation and padding, and the dropout of merges. The saved files are
`tokenizer.json` as it came and `tokenizer_config.json` with the name of the delimiter alone, so that two folders with one
tokenizer and one delimiter have one digest.

Names of special tokens in a text are text, as with `encode_special_tokens` in the library. Added tokens that the file does not
call special, such as Qwen3's `<think>`, are found in a text, as the library does it: they are part of the vocabulary. So are the
byte pieces of a unigram model: `<0x0A>` in a text is a line end.
"""

import hashlib
import importlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pipeline.tokens.store import token_dtype
from pipeline.tokens.tokenizer import (
    CONFIG_FILE,
    JSON_FILE,
    Tokenizer,
    TokenizerError,
    _checked,
    _digest,
    _flat,
    _save,
    surrogate_error,
)

if TYPE_CHECKING:
    import tokenizers

# Where the name of the delimiter may be found beside tokenizer.json, the most specific file first; then its id.
_NAMED_IN = (CONFIG_FILE, "special_tokens_map.json")
_NUMBERED_IN = ("generation_config.json", "config.json")
BESIDE = (*_NAMED_IN, *_NUMBERED_IN)
# The ends of text of GPT-2 and Qwen; LLaMA 2, Mistral and llm-jp; Llama 3; Gemma.
_USUAL = ("<|endoftext|>", "</s>", "<|end_of_text|>", "<eos>")
_BYTE_NAME = re.compile("<0x[0-9A-F]{2}>")

# A tokenizer for a corpus must give these back. All are in NFC, to which Qwen's tokenizers bring a text, and none begins with a
# space, which those that mark the beginning of a word cannot tell from none.
_PROBES = (
    "吾輩は猫である。　ＡＢＣ①㈱ﾊﾞｽ、Ｗｅｂ！ 髙﨑",
    "Don't STOP , said É. Ünïcödé  \t two  spaces ",
    "def f(x):\n\tif x != 1:\n        return {'a': [x]}  \n\n\n    # end\r\n",
    "🐈👩‍👩‍👧🇯🇵 𠮷野家 한국어 العربية ไทย \u200b\u3000。\n",
)


class HuggingFaceTokenizer:
    """A `tokenizer.json`. Raises TokenizerError for a damaged file, or if `delimiter` is not among its added tokens.

    A text of any length is encoded at once, not in blocks: the library's time and memory grow with the text's length only.
    """

    def __init__(self, content: bytes, delimiter: str) -> None:
        config = json.dumps({"eos_token": delimiter}, ensure_ascii=False, indent=1) + "\n"
        self.files: Mapping[str, bytes] = {JSON_FILE: content, CONFIG_FILE: config.encode()}
        self.digest = _digest(self.files)
        self.delimiter = delimiter
        self._model, names, self.vocabulary_size = _built(content, delimiter)
        if delimiter not in names:
            raise TokenizerError(
                f"the delimiter {delimiter!r} is not an added token of {JSON_FILE}; set eos_token in {CONFIG_FILE} beside it to "
                f"one of them: {_few(names)}"
            )
        self.delimiter_id = names[delimiter]
        self._dtype = token_dtype(self.vocabulary_size)
        self._special_ids = np.array(list(names.values()))

    def encode_batch(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.unsignedinteger[Any]], npt.NDArray[np.int64]]:
        # One thread: a worker process has one core. The library reads the variable at each call; it changes no id.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        try:
            for text in texts:
                # The library's own error is a TypeError that names no cause.
                text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise surrogate_error(error) from error
        encoded = [
            np.array(found.ids, np.int64) for found in self._model.encode_batch_fast(list(texts), add_special_tokens=False)
        ]
        return _flat(encoded, np.arange(len(texts) + 1), self._dtype)

    def count_batch(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        return np.diff(self.encode_batch(texts)[1])

    def decode(self, ids: Sequence[int] | npt.NDArray[np.integer[Any]]) -> str:
        checked = _checked(ids, self.vocabulary_size)
        return self._model.decode(checked[~np.isin(checked, self._special_ids)].tolist(), skip_special_tokens=False)

    def save(self, folder: Path) -> None:
        _save(self.files, folder)


@lru_cache(maxsize=1)  # each unit of work opens the tokenizer, and a vocabulary of 150,000 takes about a second
def _built(content: bytes, delimiter: str) -> tuple["tokenizers.Tokenizer", dict[str, int], int]:
    """The library's tokenizer, the special tokens by name, and the number of ids."""
    try:
        # Imported here, and by name: it is an extra.
        library = importlib.import_module("tokenizers")
    except ImportError as error:
        raise TokenizerError(f"reading {JSON_FILE} needs the package tokenizers; install 'kotokura[hugging_face]'") from error
    try:
        data = json.loads(content)
        added = {
            token["content"]: token["id"] for token in data["added_tokens"] if token["special"] or token["content"] == delimiter
        }
        special = {name: int(number) for name, number in added.items() if not _BYTE_NAME.fullmatch(name)}
        model = library.Tokenizer.from_str(json.dumps(_plain(data, special, hashlib.sha256(content).hexdigest())))
    except Exception as error:  # the library raises no narrower class for a file that it cannot read
        raise TokenizerError(f"{JSON_FILE} is not a tokenizer of Hugging Face's library ({error!r}); copy it again") from error
    model.encode_special_tokens = True
    return model, special, max(model.get_vocab(with_added_tokens=True).values(), default=0) + 1


def _plain(data: Any, special: Mapping[str, int], digest: str) -> Any:
    """The same tokenizer, but one that adds no token and finds no special token's name in a text.

    The library finds such a name through a unigram model's pieces even if it is told not to. So here, in memory, special tokens
    have names that no text contains: a noncharacter and the digest of the file that contains the text's tokenizer.
    """
    renamed = {name: f"\U0010ffff{digest}{number}" for name, number in special.items()}
    data.update(post_processor=None, truncation=None, padding=None)
    for token in data["added_tokens"]:
        token["content"] = renamed.get(token["content"], token["content"])
    model = data["model"]
    if isinstance(model["vocab"], list):
        model["vocab"] = [[renamed.get(piece, piece), score] for piece, score in model["vocab"]]
    else:
        model["vocab"] = {renamed.get(piece, piece): number for piece, number in model["vocab"].items()}
    if model.get("unk_token") in renamed:
        model["unk_token"] = renamed[model["unk_token"]]
    if "dropout" in model:
        model["dropout"] = None
    return data


def hugging_face_tokenizer(files: Mapping[str, bytes]) -> HuggingFaceTokenizer:
    """The tokenizer in `files[JSON_FILE]`; its delimiter is the end-of-text token that the other files name.

    Raises TokenizerError if the file is damaged or no file names a delimiter.
    """
    return HuggingFaceTokenizer(files[JSON_FILE], _delimiter(files))


def read_tokenizer_json(path: Path) -> HuggingFaceTokenizer:
    """The tokenizer in a file, or in the file tokenizer.json of a folder. Raises as `hugging_face_tokenizer`, and OSError."""
    path = path / JSON_FILE if path.is_dir() else path
    beside = {name: path.with_name(name).read_bytes() for name in BESIDE if path.with_name(name).is_file()}
    return hugging_face_tokenizer({JSON_FILE: path.read_bytes(), **beside})


def check_lossless(tokenizer: Tokenizer) -> None:
    """Raise TokenizerError, with an example, if the tokenizer changes text: lowercases, strips, folds or drops characters."""
    for text in _PROBES:
        found = tokenizer.decode(tokenizer.encode_batch([text])[0])
        if found != text:
            raise TokenizerError(
                f"it loses text, {text!r} comes back as {found!r}; a corpus keeps what the pages say, so give a tokenizer that "
                "neither normalizes nor drops characters"
            )


def _delimiter(files: Mapping[str, bytes]) -> str:
    """The name of the token that ends a text."""
    for file in _NAMED_IN:
        named = _object(files, file).get("eos_token")
        named = named.get("content") if isinstance(named, dict) else named
        if isinstance(named, str):
            return named
    try:
        names = {int(token["id"]): str(token["content"]) for token in _object(files, JSON_FILE)["added_tokens"]}
    except (ValueError, KeyError, TypeError) as error:
        raise TokenizerError(f"{JSON_FILE} is not a tokenizer of Hugging Face's library ({error!r}); copy it again") from error
    for file in _NUMBERED_IN:
        numbered = _object(files, file).get("eos_token_id")
        numbered = numbered[0] if isinstance(numbered, list) and numbered else numbered
        if isinstance(numbered, int) and numbered in names:
            return names[numbered]
    usual = [name for name in _USUAL if name in names.values()]
    if len(usual) == 1:
        return usual[0]
    raise TokenizerError(
        f"nothing names the token that ends a text: put a file {CONFIG_FILE} beside {JSON_FILE}, such as "
        f'{{"eos_token": "<|endoftext|>"}}, with one of the added tokens: {_few(names.values())}'
    )


def _object(files: Mapping[str, bytes], name: str) -> dict[str, Any]:
    """The content of a JSON file; empty if it is not there. Raises TokenizerError if it is damaged."""
    try:
        content = json.loads(files.get(name, b"{}"))
    except ValueError as error:
        raise TokenizerError(f"{name} is not JSON ({error}); copy it again") from error
    return content if isinstance(content, dict) else {}


def _few(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:8]) + (", …" if len(listed) > 8 else "") if listed else "it has none"
