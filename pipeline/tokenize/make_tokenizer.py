"""The corpus → tokens/tokenizer: the given model, or one trained on a sample of the corpus."""

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from pipeline.corpus import layout
from pipeline.corpus.columns import batches, documents, numbers
from pipeline.corpus.writer import Output
from pipeline.engine.stage import Stage
from pipeline.engine.task import Mark, Result, Task
from pipeline.files import file_digest, sync, temporary_name
from pipeline.quality.profiles import PROFILES
from pipeline.rules import judge
from pipeline.tokens.config import TokenizerConfig
from pipeline.tokens.opening import model_digest, open_tokenizer
from pipeline.tokens.tokenizer import TokenizerError
from pipeline.tokens.training import train_tokenizer


def make_tokenizer(task: Task[TokenizerConfig], mark: Mark) -> Result:
    """Open the given model or train one, and write its files. Raises TokenizerError if neither works."""
    config = task.settings
    tokenizer = open_tokenizer(config) if config.model else train_tokenizer(_sample(task, config.sample_characters), config)
    folder = task.folder / layout.TOKENIZER
    with tempfile.TemporaryDirectory(prefix=".tokenizer-", suffix=".tmp", dir=task.folder) as made:
        tokenizer.save(Path(made))
        outputs = []
        for path in sorted(Path(made).iterdir()):
            folder.mkdir(parents=True, exist_ok=True)
            temporary = temporary_name(folder / path.name)
            shutil.copyfile(path, temporary)
            sync(temporary)
            final = f"{layout.TOKENIZER}/{path.name}"
            outputs.append(Output(str(temporary), final, file_digest(temporary), temporary.stat().st_size, 1))
    return Result(tokenizer.vocabulary_size, tuple(outputs), {"tokenizer": tokenizer.digest})


def _sample(task: Task[TokenizerConfig], characters: int) -> Iterator[str]:
    """Texts to train a tokenizer on, in the order of their ids, until they have `characters` characters.

    They are the first by id of the documents that pass the published Swallow rules, whatever rules the manifest has: a changed
    threshold must not change every token, and menus and spam are bad training text. If no document passes, all are eligible.
    """
    gate = PROFILES["swallow_code"]
    columns = sorted({rule.measured for rule in gate} | {"n_chars"})
    chosen: list[tuple[bool, str, str, int]] = []
    for part in task.parts:
        for batch in batches(task.folder, layout.features(part), ["doc_id", *columns]):
            doc_ids = batch["doc_id"].to_pylist()
            failed = (~judge(gate, doc_ids, numbers(batch, columns))["kept"].to_numpy()).tolist()
            sizes = batch["n_chars"].to_pylist()
            chosen += zip(failed, doc_ids, itertools.repeat(part), sizes)
        # Only the first ones so far can be in the sample; this keeps the list short however large the corpus is.
        chosen = _first_characters(sorted(set(chosen)), characters)
    if not chosen:
        raise TokenizerError(
            "no document was extracted, so there is nothing to train a tokenizer on; `yield` shows which rules dropped the pages"
        )
    if not chosen[0][0]:
        chosen = [item for item in chosen if not item[0]]
    texts: dict[str, str] = {}
    for part in {part for _, _, part, _ in chosen}:
        wanted = pa.array([doc_id for _, doc_id, of_part, _ in chosen if of_part == part])
        for batch in documents(task.folder, part, ["doc_id", "text"], wanted):
            texts.update(zip(batch["doc_id"].to_pylist(), batch["text"].to_pylist(), strict=True))
    return (texts[doc_id] for doc_id in sorted(texts))


def _first_characters(items: list[tuple[bool, str, str, int]], characters: int) -> list[tuple[bool, str, str, int]]:
    """The first items whose sizes (the last fields) add up to at least `characters`; all items if they have fewer."""
    total = 0
    for index, item in enumerate(items):
        if total >= characters:
            return items[:index]
        total += item[-1]
    return items


STAGE = Stage(
    "tokenizer",
    "corpus",
    make_tokenizer,
    reads=(layout.documents(), layout.features()),
    settings="tokenizer",
    outside=lambda root, config: model_digest(config),
    counted_as="tokenize",
    # A new tokenizer changes every token, so a corpus that grows keeps the one it has.
    pinned=True,
)
