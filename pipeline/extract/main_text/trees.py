"""Classifies the blocks of a page as main text or not, by a sum of small decision trees.

The trees are oblivious: all nodes of a level ask the same question, "is this feature greater than this number?". So a tree is a
list of questions and a table of scores by their answers, and one row of `trees.tsv`. A block is main text if the scores of all
trees add up to more than 0, the logarithm of even odds. `benchmarks/main_text/train.py` trained the trees on pages whose main
text people have marked; the form of the trees is that of CatBoost (Prokhorenkova and others,
NeurIPS 2018, section 4), the gains those of XGBoost (Chen, Guestrin, KDD 2016, section 2.2).

Shapes: B blocks, C features, N trees, D questions of a tree, L = 2 ** D scores of a tree.
"""

import functools
from importlib import resources
from typing import NamedTuple

import numpy as np

from pipeline.compiled import njit
from pipeline.extract.main_text.blocks import Page
from pipeline.extract.main_text.features import FEATURES, measure_blocks


class Trees(NamedTuple):
    """`features_ND` are columns of the features. The index into `scores_NL` has the answers as binary digits, that of the first
    question first, 1 for "greater"."""

    features_ND: np.ndarray
    thresholds_ND: np.ndarray
    scores_NL: np.ndarray


def judge_blocks(page: Page) -> tuple[np.ndarray, np.ndarray]:
    """For every block: the logarithm of the odds that it is main text, float64, shape (B), and its number of letters, float32,
    shape (B)."""
    features_BC = measure_blocks(page)
    return score_blocks(features_BC, bundled_trees()), features_BC[:, FEATURES.index("letters")]


def score_blocks(features_BC: np.ndarray, trees: Trees) -> np.ndarray:
    """The logarithm of the odds that a block is main text, float64, shape (B)."""
    scores_B: np.ndarray = _score(features_BC, *trees)
    return scores_B


def read_trees(table: str) -> Trees:
    """Trees from a table with one tree per line: `feature > threshold` for each question, then the scores, separated by tabs."""
    features, thresholds, scores = [], [], []
    for line in table.splitlines():
        cells = line.split("\t")
        questions = [cell.split(" > ") for cell in cells if " > " in cell]
        features.append([FEATURES.index(name) for name, _ in questions])
        thresholds.append([float(threshold) for _, threshold in questions])
        scores.append([float(cell) for cell in cells[len(questions) :]])
    return Trees(np.array(features), np.array(thresholds, dtype=np.float32), np.array(scores))


def write_trees(trees: Trees) -> str:
    """The table that `read_trees` reads, with numbers rounded to 4 decimal places."""
    lines = []
    for features_D, thresholds_D, scores_L in zip(*trees, strict=True):
        questions = (f"{FEATURES[feature]} > {value:.4f}" for feature, value in zip(features_D, thresholds_D, strict=True))
        lines.append("\t".join([*questions, *(f"{score:.4f}" for score in scores_L)]))
    return "\n".join(lines) + "\n"


@functools.cache
def bundled_trees() -> Trees:
    """The trees of the package."""
    return read_trees(resources.files("pipeline.extract.main_text").joinpath("trees.tsv").read_text(encoding="utf-8"))


@njit(nogil=True)
def _score(features_BC: np.ndarray, features_ND: np.ndarray, thresholds_ND: np.ndarray, scores_NL: np.ndarray) -> np.ndarray:
    scores_B = np.zeros(len(features_BC))
    for block in range(len(features_BC)):
        for tree in range(len(features_ND)):
            answers = 0
            for question in range(features_ND.shape[1]):
                value = features_BC[block, features_ND[tree, question]]
                answers = 2 * answers + (value > thresholds_ND[tree, question])
            scores_B[block] += scores_NL[tree, answers]
    return scores_B
