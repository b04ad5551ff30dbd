"""The baseline that a model must beat: a byte trigram model with back-off, trained and scored on the text of a token dataset.

    python -m benchmarks.byte_trigram --shards data/tokens [--orders 1 2 3 4 5]

It is trained on the text of the split `train` and scored on that of `val`, in bits per byte, so that the number can be
compared with the trainer's. Documents are independent. The trainer predicts the delimiter after a document's last token;
likewise, this model predicts each document's end, and the bits are divided by the bytes of the text alone. (Only the end of
the very last document is scored here and not by the trainer, since no token follows it.)

Two standard models are built from the same counts, both interpolated down to a uniform distribution, and the better one is
the baseline: modified Kneser-Ney, whose discounts are estimated for each order from the counts of counts, and
Witten-Bell. Formulas: S. F. Chen and J. Goodman, "An empirical study of smoothing techniques for language modeling",
Harvard TR-10-98, 1998, sections 2.6 (Witten-Bell), 2.8 (Kneser-Ney) and 3 (the modified form). All n-grams are sorted in
memory: about 30 bytes per byte of text (11 MB of Japanese pages took 0.37 GB, and 8 seconds for orders 1 to 5).
"""

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from pipeline.tokens.dataset import TokenDataset, TokenSplit
from pipeline.tokens.opening import load_tokenizer
from pipeline.tokens.tokenizer import Tokenizer

BOUNDARY = 256  # the symbol before and after each document; 0 to 255 are bytes
SYMBOLS = 257
LONGEST_ORDER = 7  # 257 ** 7 is the highest power below 2 ** 63
BASELINE_ORDER = 3
# Used if an order has too few kinds of n-grams to estimate a discount (the first has 257): half an occurrence, the middle
# of what can be taken from a count of one.
UNESTIMATED_DISCOUNT = 0.5
console = Console()


@dataclass(frozen=True, eq=False)
class Level:
    """One order of an interpolated model: p(symbol | context) = share + weight * p(symbol | context but its first symbol).

    ngrams: keys of the n-grams seen, ascending; shares: the probability that each keeps. contexts: keys of the contexts
    seen, ascending; weights: the probability left over. An unseen n-gram has the share 0, an unseen context the weight 1.
    """

    ngrams: npt.NDArray[np.int64]
    shares: npt.NDArray[np.float64]
    contexts: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]


Model = Sequence[Level]  # order 1 first


def ngrams_of(documents: Iterable[bytes], order: int) -> npt.NDArray[np.int64]:
    """The n-grams that end at the symbols to predict (each byte and each end of a document), as int64 keys.

    The symbols are the base-257 digits of the key, the last symbol the lowest digit. Each document is preceded by as many
    boundaries as the context is long.
    """
    keys = [np.empty(0, np.int64)]
    for document in documents:
        symbols = np.full(order - 1 + len(document) + 1, BOUNDARY, np.int64)
        symbols[order - 1 : -1] = np.frombuffer(document, np.uint8)
        windows = np.lib.stride_tricks.sliding_window_view(symbols, order)
        keys.append(windows @ SYMBOLS ** np.arange(order - 1, -1, -1, dtype=np.int64))
    return np.concatenate(keys)


def witten_bell(ngrams: npt.NDArray[np.int64], order: int) -> Model:
    """The model of `order` over `ngrams`. A context's weight is its kinds of symbols / (its symbols + its kinds)."""
    tables: list[tuple[npt.NDArray[np.int64], npt.NDArray[Any]]] = [np.unique(ngrams, return_counts=True)]
    while len(tables) < order:
        tables.append(_shortened(*tables[-1], order - len(tables)))
    levels = []
    for keys, counts in reversed(tables):
        contexts, context = np.unique(keys // SYMBOLS, return_inverse=True)
        kinds = np.bincount(context)
        totals = np.bincount(context, counts) + kinds
        levels.append(Level(keys, counts / totals[context], contexts, kinds / totals))
    return levels


def kneser_ney(ngrams: npt.NDArray[np.int64], order: int) -> Model:
    """The model of `order` over `ngrams`. A lower-order n-gram counts once per kind of symbol that precedes it."""
    tables: list[tuple[npt.NDArray[np.int64], npt.NDArray[Any]]] = [np.unique(ngrams, return_counts=True)]
    while len(tables) < order:
        longer = tables[-1][0]
        tables.append(_shortened(longer, np.ones(len(longer)), order - len(tables)))
    levels = []
    for keys, counts in reversed(tables):
        contexts, context = np.unique(keys // SYMBOLS, return_inverse=True)
        totals = np.bincount(context, counts)
        discount = discounts(counts)[np.minimum(counts, 3).astype(np.int64) - 1]
        levels.append(Level(keys, (counts - discount) / totals[context], contexts, np.bincount(context, discount) / totals))
    return levels


def discounts(counts: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """The discounts of modified Kneser-Ney for counts of 1, of 2, and of 3 or more: i - (i + 1) Y n[i + 1] / n[i] with
    Y = n[1] / (n[1] + 2 n[2]), where n[i] n-grams occur i times (Chen and Goodman, section 3, equation 26)."""
    occurring = np.array([np.count_nonzero(counts == count) for count in range(1, 5)])
    taken = np.full(3, UNESTIMATED_DISCOUNT)
    if occurring.all():
        share = occurring[0] / (occurring[0] + 2 * occurring[1])
        number = np.arange(1, 4)
        estimated = number - (number + 1) * share * occurring[1:] / occurring[:-1]
        taken = np.where(estimated > 0, estimated, UNESTIMATED_DISCOUNT)
    return taken


def probabilities(model: Model, ngrams: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """p(last symbol | the symbols before it) of each n-gram, float64. The n-grams are at least as long as the model's order."""
    result = np.full(len(ngrams), 1 / SYMBOLS)
    for order, level in enumerate(model, start=1):
        keys = ngrams % SYMBOLS**order
        result = _at(keys, level.ngrams, level.shares, 0.0) + _at(keys // SYMBOLS, level.contexts, level.weights, 1.0) * result
    return result


def bits_per_byte(model: Model, documents: Sequence[bytes]) -> float:
    """Bits that the model needs for the documents and their ends, divided by the bytes of the documents."""
    ngrams = ngrams_of(documents, len(model))
    return float(-np.log2(probabilities(model, ngrams)).sum() / sum(map(len, documents)))


def texts_of(split: TokenSplit, tokenizer: Tokenizer) -> tuple[list[bytes], float]:
    """The documents of `split` in UTF-8, and the share of them whose number of bytes is the one in the shards."""
    texts: list[bytes] = []
    equal = 0
    for shard in split.shards:
        for index, n_bytes in enumerate(shard.n_bytes):
            texts.append(tokenizer.decode(shard.tokens[shard.offsets[index] : shard.offsets[index + 1]]).encode())
            equal += len(texts[-1]) == n_bytes
    return texts, equal / max(len(texts), 1)


def _shortened(
    keys: npt.NDArray[np.int64], counts: npt.NDArray[Any], order: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """The n-grams of `order` that `keys` end in, ascending, and the summed counts of each."""
    shorter, inverse = np.unique(keys % SYMBOLS**order, return_inverse=True)
    return shorter, np.bincount(inverse, counts)


def _at(
    keys: npt.NDArray[np.int64], known: npt.NDArray[np.int64], values: npt.NDArray[np.float64], missing: float
) -> npt.NDArray[np.float64]:
    """The value of each of `keys` among the ascending keys `known`, or `missing`."""
    index = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return np.where(known[index] == keys, values[index], missing)


def main() -> None:
    """Read the dataset, train a model of each kind and order, and print the table."""
    parser = argparse.ArgumentParser(description="Bits per byte of byte n-gram models with back-off on a token dataset.")
    parser.add_argument("--shards", type=Path, required=True, help="folder of the token dataset, with its tokenizer")
    parser.add_argument("--orders", type=int, nargs="+", default=[1, 2, 3, 4, 5], choices=range(1, LONGEST_ORDER + 1))
    arguments = parser.parse_args()
    dataset = TokenDataset.open(arguments.shards)
    tokenizer = load_tokenizer(arguments.shards / "tokenizer")
    if tokenizer.digest != dataset.meta.tokenizer_sha256:
        parser.error(
            f"{arguments.shards / 'tokenizer'} is not the tokenizer of the shards; give the folder as the pipeline wrote it"
        )
    texts = {}
    for name in ("train", "val"):
        texts[name], share = texts_of(dataset.split(name), tokenizer)
        size = sum(map(len, texts[name]))
        console.print(
            f"{name}: {len(texts[name]):,} documents, {size:,} bytes; {share:.1%} have the bytes that the shards say",
            soft_wrap=True,
        )
        if size == 0:
            parser.error(f"{arguments.shards}: the split {name} has no text; tokenize with a larger tokenize.validation_share")
    models = {"modified Kneser-Ney": kneser_ney, "Witten-Bell": witten_bell}
    table = Table("order", *models, title="bits per byte of val")
    baseline = ""
    for order in arguments.orders:
        ngrams = ngrams_of(texts["train"], order)
        scores = {name: bits_per_byte(train(ngrams, order), texts["val"]) for name, train in models.items()}
        table.add_row(f"{order}", *(f"{score:.4f}" for score in scores.values()))
        if order == BASELINE_ORDER:
            best = min(scores, key=scores.__getitem__)
            baseline = f"baseline: {scores[best]:.4f} bits per byte, order {order}, {best}"
    console.print(table, baseline)


if __name__ == "__main__":
    main()
