"""Refuses shards whose tokenizer is not the model's: to a model, an id has a meaning only in the vocabulary it was trained with.

Two tokenizers of this program are compared by the SHA-256 of their files. Another program's folder has other files, so there the
vocabularies are compared, token by token, unless the shards were made with the same `tokenizer.json`. The number of ids alone
says nothing: two corpora of one size give two vocabularies of one size.
"""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sentencepiece

from model.weights import TOKENIZER_FOLDER
from pipeline.tokens.opening import load_tokenizer, tokenizer_of
from pipeline.tokens.store import DATASET_FILE
from pipeline.tokens.tokenizer import JSON_FILE, RANKS_FILE, SENTENCEPIECE_FILE, Tokenizer, TokenizerError
from trainer.data.sources import Sources
from trainer.errors import TrainerError

# How other programs call a SentencePiece model: LLaMA and Gemma; T5 and its kin.
_FOREIGN_SENTENCEPIECE = ("tokenizer.model", "spiece.model")
# Files of the libraries tokenizers and transformers that hold a vocabulary, the more complete one first.
_VOCABULARIES = (JSON_FILE, "vocab.json")
# Special tokens that the second of them may lack.
_ADDED = "added_tokens.json"


def check_same_tokenizer(sources: Sources, model: Path) -> str | None:
    """Raise TrainerError unless the shards were made with the tokenizer of the model in the folder `model`.

    model: a checkpoint, an export, or a Hugging Face folder of any program. Returns a line to print if it holds no tokenizer,
    so that nothing can be compared.
    """
    folder = model / TOKENIZER_FOLDER if (model / TOKENIZER_FOLDER).is_dir() else model
    own = sources.meta.tokenizer_sha256
    if (known := _own(folder)) is not None:
        if known.digest == own:
            return None
        kind = "sentencepiece" if SENTENCEPIECE_FILE in known.files else "bpe"
        raise _refused(sources, f"{model}, {known.digest[:12]} ({known.vocabulary_size:,} ids)", f"tokenizer.kind={kind}", folder)
    if _same_json(sources, folder):
        return None
    # LLaMA's folders have both forms; shards made from the one are compared with that one.
    forms = () if _json_of(sources) and (folder / JSON_FILE).is_file() else _FOREIGN_SENTENCEPIECE
    for path in (folder / name for name in forms):
        if path.is_file():
            if _same_sentencepiece(path, own):
                return None
            raise _refused(sources, f"{path}", "tokenizer.kind=sentencepiece", path)
    vocabulary = _vocabulary(folder)
    if vocabulary is None:
        return f"{model} holds no tokenizer: it is not checked that {sources.names[0]} was made with the model's"
    path, theirs = vocabulary
    kind = "tokenizer.kind=hugging_face" if path.name == JSON_FILE else ""
    for number, token in _tokens(sources.tokenizer()).items():
        if theirs.get(number) != token:
            there = "is none" if number not in theirs else f"is {theirs[number]!r}"
            raise _refused(sources, f"{path}, where id {number:,} {there} and not {token!r}", kind, path)
    return None


def _refused(sources: Sources, other: str, kind: str, tokenizer: Path) -> TrainerError:
    meta = sources.meta
    how = f" (--set {kind} --set tokenizer.model={tokenizer})" if kind else f" ({tokenizer})"
    return TrainerError(
        f"{sources.datasets[0].folder / DATASET_FILE}: its tokenizer {meta.tokenizer_sha256[:12]} ({meta.vocabulary_size:,} ids) "
        f"is not that of the model, {other}: the shards' ids mean other tokens to the model. Encode the texts with the model's "
        f"tokenizer{how} into another corpus, or give the shards that the model was trained on"
    )


def _own(folder: Path) -> Tokenizer | None:
    """The tokenizer that this program wrote into `folder`; None if it wrote none. Raises TrainerError if it is damaged."""
    if not (folder / SENTENCEPIECE_FILE).exists() and not (folder / RANKS_FILE).exists():
        return None
    try:
        return load_tokenizer(folder)
    except TokenizerError as error:
        raise TrainerError(f"{error}; copy the model's folder again") from error


def _json_of(sources: Sources) -> bytes | None:
    """The `tokenizer.json` that the shards were made with; None if they were made with another kind of tokenizer."""
    if not (sources.datasets[0].folder / "tokenizer" / JSON_FILE).is_file():
        return None
    return sources.tokenizer().files.get(JSON_FILE)


def _same_json(sources: Sources, folder: Path) -> bool:
    path = folder / JSON_FILE
    return path.is_file() and path.read_bytes() == _json_of(sources)


def _same_sentencepiece(path: Path, sha256: str) -> bool:
    try:
        return tokenizer_of({SENTENCEPIECE_FILE: path.read_bytes()}).digest == sha256
    except (OSError, TokenizerError):  # not a model that the pipeline could have used
        return False


def _vocabulary(folder: Path) -> tuple[Path, Mapping[int, str]] | None:
    """The file with the vocabulary of another program's tokenizer, and its tokens by id; None if there is none."""
    for name in _VOCABULARIES:
        path = folder / name
        if not path.is_file():
            continue
        try:
            content: Any = json.loads(path.read_text(encoding="utf-8"))
            if name == "vocab.json":
                added = folder / _ADDED
                tokens = {**content, **(json.loads(added.read_text(encoding="utf-8")) if added.is_file() else {})}
            else:
                tokens = _tokens_of_json(content)
            return path, {int(number): str(token) for token, number in tokens.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise TrainerError(f"{path}: is no vocabulary ({error!r}); copy the model's folder again") from error
    return None


def _tokens_of_json(content: Any) -> dict[str, int]:
    """The tokens in a `tokenizer.json` and their ids."""
    entries = content["model"]["vocab"]
    # A unigram model lists [token, score] in the order of the ids; the others map tokens to ids.
    listed = entries if isinstance(entries, dict) else {token: number for number, (token, _) in enumerate(entries)}
    return {**listed, **{token["content"]: token["id"] for token in content.get("added_tokens") or []}}


def _tokens(tokenizer: Tokenizer) -> dict[int, str]:
    """The tokens that shards may hold, by id, spelled as in `tokenizer.json`: all but special ones, and the delimiter."""
    if SENTENCEPIECE_FILE in tokenizer.files:
        model = sentencepiece.SentencePieceProcessor()
        model.LoadFromSerializedProto(tokenizer.files[SENTENCEPIECE_FILE])
        ids = (number for number in range(model.vocab_size()) if not (model.is_control(number) or model.is_unused(number)))
        tokens = {number: model.id_to_piece(number) for number in ids}
    elif JSON_FILE in tokenizer.files:
        content = json.loads(tokenizer.files[JSON_FILE])
        special = {token["content"] for token in content["added_tokens"] if token["special"]}
        tokens = {number: token for token, number in _tokens_of_json(content).items() if token not in special}
    else:
        letters = _byte_letters()
        lines = (line.split() for line in tokenizer.files[RANKS_FILE].splitlines())
        tokens = {int(rank): "".join(letters[byte] for byte in base64.b64decode(token)) for token, rank in lines}
    return {**tokens, tokenizer.delimiter_id: tokenizer.delimiter}


def _byte_letters() -> list[str]:
    """The letter by which GPT-2's encoder.py spells each byte: itself if visible in Latin-1, else the next from U+0100 on."""
    visible = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in visible else next(others)) for byte in range(256)]
