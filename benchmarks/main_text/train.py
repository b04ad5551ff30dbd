"""Train the trees of `pipeline/extract/main_text/trees.tsv` on pages whose main text people have marked, and test them.

    python -m benchmarks.main_text.train GOLD [--output TABLE]

GOLD is the folder that `benchmarks/main_text/__main__.py` describes. First come the figures: five times, trees are trained on
the pages of four fifths of the hosts and tested on the rest, so that no page is judged by trees that have seen its site. Then,
with `--output`, trees trained on all pages are written.

A block of a page with a text is main text if its words occur there in the same order. On a page with strings, only the
blocks that hold one are known; the others are labelled by what trafilatura extracts, with a tenth of the weight.
"""

import argparse
import hashlib
import logging
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt
from rich.console import Console

from benchmarks.main_text.__main__ import TOKEN, Page, mean, read_gold, score_snippets, score_tokens
from pipeline.extract.main_text.blocks import Page as Blocks
from pipeline.extract.main_text.blocks import read_page
from pipeline.extract.main_text.extractors import extract_main_text
from pipeline.extract.main_text.features import FEATURES, measure_blocks
from pipeline.extract.main_text.trees import Trees, read_trees, score_blocks, write_trees

FOLDS = 5
# Chosen on the figures of these folds; 60 to 150 trees and 4 to 6 questions differ by less than 0.003.
TREES, QUESTIONS, RATE = 100, 5, 0.15
BINS = 48  # a feature is compared with its 47 quantiles
COLUMN_SHARE = 0.35  # of the features, drawn anew for each tree, so that trees differ
PENALTY = 5.0  # added to the weight of each leaf: XGBoost's lambda
GRAM = 4  # consecutive tokens that count as found in the text
FOUND_SHARE = 0.6  # of a block's tokens that must be in such runs: markup and links differ between page and text
# A page with a text weighs about 1. With 0.2 for strings their F1 is lower by 0.005, with 0.8 that of texts not in Japanese.
SNIPPET_WEIGHT, GUESSED_WEIGHT = 0.4, 0.1


class Example(NamedTuple):
    """A page with the label of each block, 1 for main text, and the weight of each block."""

    gold: Page
    page: Blocks
    features_BC: npt.NDArray[np.float32]
    labels_B: npt.NDArray[np.float64]
    weights_B: npt.NDArray[np.float64]


def flat(text: str) -> str:
    """`text` without white space."""
    return "".join(text.split())


def label_blocks(page: Blocks, text: str) -> npt.NDArray[np.float64]:
    """Which blocks of a page are in `text`. Each passage of it is claimed once, by blocks that are not links first."""
    tokens = TOKEN.findall(text.lower())
    grams = Counter(tuple(tokens[start : start + GRAM]) for start in range(len(tokens) - GRAM + 1))
    lines = Counter(flat(line).lower() for line in text.split("\n"))
    labels_B = np.zeros(len(page.texts))
    is_linked = [links > len(block) / 2 for block, links in zip(page.texts, page.link_characters, strict=True)]
    for number in sorted(range(len(labels_B)), key=is_linked.__getitem__):
        block = page.texts[number].lower()
        if lines[flat(block)] > 0:
            lines[flat(block)] -= 1
            labels_B[number] = 1
            continue
        words = TOKEN.findall(block)
        found: Counter[tuple[str, ...]] = Counter()
        covered = np.zeros(len(words), dtype=bool)
        for start in range(len(words) - GRAM + 1):
            gram = tuple(words[start : start + GRAM])
            if grams[gram] > found[gram]:
                found[gram] += 1
                covered[start : start + GRAM] = True
        if len(words) and covered.mean() >= FOUND_SHARE:
            grams -= found
            labels_B[number] = 1
    return labels_B


def make_example(gold: Page) -> Example:
    """A page parsed, measured and labelled. A block's weight is its share of the main text, as in the score."""
    page = read_page(gold.html)
    features_BC = measure_blocks(page)
    labels_B = label_blocks(page, gold.text or extract_main_text(gold.html, "trafilatura").text)
    tokens_B = features_BC[:, FEATURES.index("tokens")]
    # The power lets short blocks weigh more than their length, the 50 keeps pages with little text from weighing much.
    size_B = tokens_B**0.8
    weights_B = np.minimum(1, (tokens_B + 2) ** 0.8 / (size_B @ labels_B + 50**0.8))
    if not gold.text:
        weights_B *= GUESSED_WEIGHT
        wanted, unwanted = [flat(string) for string in gold.wanted], [flat(string) for string in gold.unwanted]
        for number, block in enumerate(map(flat, page.texts)):
            for strings, label in ((unwanted, 0), (wanted, 1)):
                if any(string in block for string in strings):
                    labels_B[number], weights_B[number] = label, SNIPPET_WEIGHT
    return Example(gold, page, features_BC, labels_B, weights_B)


def train(examples: list[Example]) -> Trees:
    """Trees by gradient boosting on the logistic loss. Each question is chosen for the summed gain of all leaves on its level."""
    features_BC = np.concatenate([example.features_BC for example in examples])
    labels_B = np.concatenate([example.labels_B for example in examples])
    weights_B = np.concatenate([example.weights_B for example in examples])
    weights_B /= weights_B.mean()
    shares = np.linspace(0, 1, BINS + 1)[1:-1]
    # Rounded as in the table, so that the trees in the table answer like those in training.
    edges = [np.unique(np.quantile(column, shares, method="lower").round(4)).astype(np.float32) for column in features_BC.T]
    bins_CB = np.stack([np.searchsorted(edge, column) for edge, column in zip(edges, features_BC.T, strict=True)]).astype(
        np.uint8
    )
    draw = np.random.default_rng(0)
    score_B = np.zeros(len(labels_B))
    features, thresholds, scores = [], [], []
    for _ in range(TREES):
        odds_B = 1 / (1 + np.exp(-score_B))
        gradients_B, curvatures_B = weights_B * (labels_B - odds_B), weights_B * odds_B * (1 - odds_B)
        columns = draw.permutation(len(edges))[: int(COLUMN_SHARE * len(edges))]
        leaves_B = np.zeros(len(labels_B), dtype=np.int64)
        chosen: list[tuple[int, float]] = []
        for level in range(QUESTIONS):
            left = np.cumsum(_histograms(bins_CB, columns, leaves_B, gradients_B, curvatures_B, 2**level), axis=2)
            right = left[:, :, -1:] - left
            gains = sum((side[..., 0] ** 2 / (side[..., 1] + PENALTY)).sum(axis=1) for side in (left, right))
            for row, column in enumerate(columns):
                gains[row, len(edges[column]) :] = -1  # there is no such threshold
            row, cut = divmod(int(np.argmax(gains)), BINS)
            column = int(columns[row])
            chosen.append((column, float(edges[column][cut])))
            leaves_B = 2 * leaves_B + (bins_CB[column] > cut)
        sums = (np.bincount(leaves_B, values_B, 2**QUESTIONS) for values_B in (gradients_B, curvatures_B))
        gradient, curvature = sums
        scores.append(RATE * gradient / (curvature + PENALTY))
        score_B += scores[-1][leaves_B]
        features.append([column for column, _ in chosen])
        thresholds.append([threshold for _, threshold in chosen])
    return read_trees(write_trees(Trees(np.array(features), np.array(thresholds), np.array(scores))))


@numba.njit(cache=True, nogil=True)
def _histograms(
    bins_CB: npt.NDArray[np.uint8],
    columns: npt.NDArray[np.int64],
    leaves_B: npt.NDArray[np.int64],
    gradients_B: npt.NDArray[np.float64],
    curvatures_B: npt.NDArray[np.float64],
    leaves: int,
) -> npt.NDArray[np.float64]:
    """Sums of gradients and curvatures by column, leaf and bin, shape (columns, leaves, BINS, 2)."""
    sums = np.zeros((len(columns), leaves, BINS, 2))
    for row in range(len(columns)):
        bins_B = bins_CB[columns[row]]
        for block in range(len(leaves_B)):
            sums[row, leaves_B[block], bins_B[block], 0] += gradients_B[block]
            sums[row, leaves_B[block], bins_B[block], 1] += curvatures_B[block]
    return sums


def fold_of(gold: Page) -> int:
    """The fold of the page's host, one of five."""
    return int(hashlib.sha1(gold.host.encode()).hexdigest(), 16) % FOLDS


def predict(example: Example, trees: Trees) -> str:
    """The main text of a page by `trees`."""
    scores_B = score_blocks(example.features_BC, trees)
    return "\n".join(block for block, score in zip(example.page.texts, scores_B, strict=True) if score > 0)


def main() -> None:
    """Print the figures of the folds, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("gold", type=Path)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)  # it logs every empty page
    examples = [make_example(gold) for gold in read_gold(arguments.gold)]
    found = []
    for fold in range(FOLDS):
        trees = train([example for example in examples if fold_of(example.gold) != fold])
        found += [(example.gold, predict(example, trees)) for example in examples if fold_of(example.gold) == fold]
    tokens = [(gold.is_japanese, score_tokens(text, gold.text)) for gold, text in found if gold.text]
    snippets = [(gold, text) for gold, text in found if not gold.text]
    columns = {
        "all texts": mean([score for _, score in tokens]),
        "Japanese texts": mean([score for is_japanese, score in tokens if is_japanese]),
        "other texts": mean([score for is_japanese, score in tokens if not is_japanese]),
        "snippets": score_snippets([text for _, text in snippets], [gold for gold, _ in snippets]),
    }
    for name, score in columns.items():
        Console().print(f"{name}: precision, recall, F1", " / ".join(f"{number:.3f}" for number in score))
    if arguments.output:
        arguments.output.write_text(write_trees(train(examples)), encoding="utf-8")


if __name__ == "__main__":
    main()
