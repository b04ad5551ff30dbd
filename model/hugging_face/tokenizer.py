"""The tokenizer's part of a Hugging Face folder: `tokenizer.json` and its companions, made from the project's own files.

A model's tokenizer is a folder of one of three kinds. File names and formats are those of `pipeline.tokens`, repeated here
because this package does not import the pipeline; tests compare both sides:

- `sentencepiece.model`: a SentencePiece model, whose end-of-sentence symbol is the delimiter of documents.
- `ranks.tiktoken`: one line per token with its bytes in base64, a space, and its id, which is also its rank; and
  `pattern.json`: `pattern`, which splits a text before pairs are merged, and `special_tokens`, from names to ids,
  `<|endoftext|>` among them.
- `tokenizer.json` of another program, and `tokenizer_config.json` with the name of the delimiter. The first is
  written back byte for byte, with the tokens that it adds before or after a text.

Of the first two kinds, the written tokenizer gives the pipeline's ids for every text, and decodes them to the text; special
names or `<0x41>` in a text are plain text. There are three exceptions. The pipeline encodes a text of more than 500,000
characters block by block, this tokenizer at once. SentencePiece adds scores in single precision and `tokenizers` in double, so
they may choose differently between two segmentations that are equally good, or nearly so. And a name like `<s>` in a text is read
as its token if some piece spans every position at which the name could be cut.

The original files are copied beside `tokenizer.json`, and `read_back` restores them.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from model.config import ModelConfig
from model.hugging_face.tokenizer_json import TokenizerExportError, of_byte_pairs, of_sentencepiece

SENTENCEPIECE_FILE = "sentencepiece.model"
RANKS_FILE = "ranks.tiktoken"
PATTERN_FILE = "pattern.json"
JSON_FILE = "tokenizer.json"
CONFIG_FILE = "tokenizer_config.json"
SPECIAL_FILE = "special_tokens_map.json"

_Content = tuple[dict[str, Any], dict[str, str]]  # tokenizer.json, and the names of the tokens with a role


def _as_it_came(path: Path, config: Path) -> _Content:
    """Return the tokenizer of another program, and the delimiter in the roles that it has in shards."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        delimiter = str(json.loads(config.read_text(encoding="utf-8"))["eos_token"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TokenizerExportError(f"{path}: is no tokenizer with an eos_token ({error!r}); copy the folder again") from error
    return content, {"bos_token": delimiter, "eos_token": delimiter}


# The files of each kind, and what makes a tokenizer.json of them.
_KINDS: dict[tuple[str, ...], Callable[..., _Content]] = {
    (SENTENCEPIECE_FILE,): of_sentencepiece,
    (RANKS_FILE, PATTERN_FILE): of_byte_pairs,
    (JSON_FILE, CONFIG_FILE): _as_it_came,
}
WRITTEN = {name for names in _KINDS for name in names} | {JSON_FILE, CONFIG_FILE, SPECIAL_FILE}


def write_tokenizer(source: Path, target: Path, model: ModelConfig) -> int:
    """Write the tokenizer in the folder `source` into the folder `target`, for `transformers.AutoTokenizer` to load.

    The delimiter is the beginning-of-text, end-of-text and padding token; return its id. The files of `source` are copied too.
    Raises TokenizerExportError for a tokenizer that is missing, damaged or cannot be expressed.
    """
    names = _present(source)
    content, special = _KINDS[names](*(source / name for name in names))
    # The attention mask tells padding from text, so padding needs no id that the model has never seen.
    special = {**special, "pad_token": special["eos_token"]}
    config = {
        # Both major versions of transformers have this class; a model's own class would build another tokenizer.
        "tokenizer_class": "PreTrainedTokenizerFast",
        **special,
        # By default token_type_ids are among them, which no class of a GPT accepts.
        "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": model.context_length,
        # Generation continues the last token of each row, which must not be padding. But transformers numbers positions from the
        # first token, padding or not; only rotary positions, which are relative, allow padding before the text.
        "padding_side": "left" if model.positions == "rotary" else "right",
        # The clean-up removes spaces before full stops, so decoding would not be the inverse of encoding.
        "clean_up_tokenization_spaces": False,
        # Names of special tokens in a text are plain text.
        "split_special_tokens": True,
    }
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name, written in {JSON_FILE: content, CONFIG_FILE: config, SPECIAL_FILE: special}.items():
            (target / name).write_text(json.dumps(written, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        # The configuration that was written says more than the one in `source`.
        for name in names:
            if name != CONFIG_FILE:
                shutil.copyfile(source / name, target / name)
    except OSError as error:
        raise TokenizerExportError(f"{target}: cannot be written ({error}); free disk space or choose another folder") from error
    return _id_of(special["eos_token"], content, source)


def _id_of(name: str, content: Mapping[str, Any], source: Path) -> int:
    for token in content["added_tokens"]:
        if token["content"] == name:
            return int(token["id"])
    raise TokenizerExportError(f"{source}: {name} is not among its special tokens; give the folder of the corpus's tokenizer")


def read_back(target: Path, folder: Path) -> None:
    """Copy the files that `write_tokenizer` copied into `target` to `folder`, which then is a tokenizer of the pipeline.

    Raises TokenizerExportError if `target` has none, as the folder of another program, or if `folder` cannot be written.
    """
    names = _present(target)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            shutil.copyfile(target / name, folder / name)
    except OSError as error:
        raise TokenizerExportError(f"{folder}: cannot be written ({error}); free disk space or choose another folder") from error


def _present(folder: Path) -> tuple[str, ...]:
    """Return the names of the files that make up the tokenizer in `folder`."""
    for names in _KINDS:
        if all((folder / name).is_file() for name in names):
            return names
    raise TokenizerExportError(
        f"{folder}: has neither {SENTENCEPIECE_FILE} nor {RANKS_FILE} with {PATTERN_FILE} nor {JSON_FILE} with {CONFIG_FILE}; "
        "give the folder that holds the corpus's tokenizer"
    )
