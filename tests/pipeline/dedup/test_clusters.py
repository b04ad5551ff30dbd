"""Clusters: which document repeats which, against a plain restatement; large buckets; documents added later."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.dedup.clusters import Clusters, cluster
from pipeline.dedup.minhash import similarity


def plain_clusters(signatures: npt.NDArray[np.uint8], rows: int, bands: int, minimum: float) -> tuple[list[int], list[float]]:
    """Compares every document with every kept one that a bucket leads to. (Inputs are small, so that no limit is reached.)"""
    values = rows * bands
    survivor: list[int] = []
    found: list[float] = []
    for document, row in enumerate(signatures):
        best, best_similarity = document, -1.0
        for band in range(bands):
            columns = slice(band * rows, (band + 1) * rows)
            for other in reversed(range(document)):
                if not np.array_equal(signatures[other, columns], row[columns]):
                    continue
                kept = survivor[other]
                estimate = float(similarity(int((signatures[kept] == row).sum()), values))
                if estimate >= minimum:
                    if (estimate, -kept) > (best_similarity, -best):
                        best, best_similarity = kept, estimate
                    break
        survivor.append(best)
        found.append(1.0 if best == document else best_similarity)
    return survivor, found


def clusters_of(signatures: npt.NDArray[np.uint8], rows: int, bands: int, minimum: float = 0.77) -> Clusters:
    has_signature = np.ones(len(signatures), dtype=bool)
    return cluster(signatures, has_signature, rows=rows, bands=bands, minimum_similarity=minimum)


def varied(random: np.random.Generator, original: npt.NDArray[np.uint8], changed: int) -> npt.NDArray[np.uint8]:
    """A copy of a signature with `changed` of its bytes, at random places, replaced by others."""
    copy = original.copy()
    copy[random.choice(len(copy), changed, replace=False)] += random.integers(1, 256, changed, dtype=np.uint8)
    return copy


small_signatures = st.integers(1, 14).flatmap(
    lambda count: st.lists(st.lists(st.integers(0, 2), min_size=6, max_size=6), min_size=count, max_size=count)
)


@settings(deadline=None)
@given(rows=small_signatures, minimum=st.sampled_from([0.0, 0.3, 0.5, 0.8, 1.0]))
def test_equals_the_plain_restatement(rows: list[list[int]], minimum: float) -> None:
    signatures = np.array(rows, dtype=np.uint8)
    found = clusters_of(signatures, 2, 3, minimum)
    survivor, estimates = plain_clusters(signatures, 2, 3, minimum)
    assert found.survivor.tolist() == survivor
    assert found.similarity.tolist() == estimates
    assert found.cluster_size.tolist() == [survivor.count(kept) for kept in survivor]


@settings(deadline=None)
@given(rows=small_signatures, length=st.integers(0, 14))
def test_documents_added_behind_change_nothing_before_them(rows: list[list[int]], length: int) -> None:
    signatures = np.array(rows, dtype=np.uint8)
    whole, beginning = clusters_of(signatures, 2, 3, 0.5), clusters_of(signatures[:length], 2, 3, 0.5)
    assert np.array_equal(whole.survivor[:length], beginning.survivor)
    assert np.array_equal(whole.similarity[:length], beginning.similarity)


def test_a_chain_does_not_join_its_ends() -> None:
    """Each document resembles the one before it, but the third does not resemble the first, so it is kept."""
    random = np.random.default_rng(1)
    first = random.integers(0, 256, 400, dtype=np.uint8)
    second, third = first.copy(), first.copy()
    second[:60] += 1
    third[:60] += 1
    third[60:120] += 1
    found = clusters_of(np.stack([first, second, third]), 20, 20)
    assert found.survivor.tolist() == [0, 0, 2]
    assert found.similarity[1] == similarity(340, 400)


def test_a_document_goes_to_the_most_similar_of_the_kept() -> None:
    random = np.random.default_rng(2)
    far = random.integers(0, 256, 400, dtype=np.uint8)
    near = far.copy()
    near[:120] += 1
    last = near.copy()
    last[:40] -= 1
    assert clusters_of(np.stack([far, near, last]), 20, 20).survivor.tolist() == [0, 1, 1]


def test_similarity_below_the_threshold_is_kept_in_spite_of_shared_bands() -> None:
    one = np.random.default_rng(3).integers(0, 256, 400, dtype=np.uint8)
    other = one.copy()
    other[:100] += 1
    pair = np.stack([one, other])
    assert clusters_of(pair, 20, 20, minimum=0.77).survivor.tolist() == [0, 1]
    assert clusters_of(pair, 20, 20, minimum=0.70).survivor.tolist() == [0, 0]


def test_documents_without_a_signature_are_kept() -> None:
    signatures = np.zeros((5, 40), dtype=np.uint8)
    signatures[3:] = 7
    has_signature = np.array([False, False, False, True, True])
    found = cluster(signatures, has_signature, rows=4, bands=10, minimum_similarity=0.77)
    assert found.survivor.tolist() == [0, 1, 2, 3, 3]
    assert found.cluster_size.tolist() == [1, 1, 1, 2, 2]


def test_one_hot_cluster_of_many_documents() -> None:
    random = np.random.default_rng(4)
    original = random.integers(0, 256, 400, dtype=np.uint8)
    signatures = np.stack([original] + [varied(random, original, 12) for _ in range(20_000)])
    found = clusters_of(signatures, 20, 20)
    assert not found.survivor.any()
    assert (found.cluster_size == 20_001).all()


def test_pairs_are_found_in_a_hot_bucket_of_documents_that_are_not_alike() -> None:
    """Ten thousand pages of one template: they share a band, but only neighbours are versions of one page."""
    random = np.random.default_rng(5)
    pages = random.integers(0, 256, (10_000, 400), dtype=np.uint8)
    pages[:, :20] = 9
    pages[1::2] = pages[::2]
    pages[1::2, 20::20] += 1  # breaks every other band
    found = clusters_of(pages, 20, 20)
    assert np.array_equal(found.survivor, np.arange(10_000) // 2 * 2)


def test_every_survivor_is_kept_and_every_repeat_is_similar_to_its_survivor() -> None:
    random = np.random.default_rng(6)
    originals = random.integers(0, 256, (300, 400), dtype=np.uint8)
    signatures = np.stack([varied(random, originals[random.integers(300)], int(random.integers(0, 120))) for _ in range(3000)])
    found = clusters_of(signatures, 20, 20)
    assert np.array_equal(found.survivor[found.survivor], found.survivor)
    equal = (signatures == signatures[found.survivor]).sum(axis=1)
    assert np.array_equal(found.similarity, similarity(equal, 400))
    assert found.similarity.min() >= 0.77
    assert found.cluster_size[np.unique(found.survivor)].sum() == 3000


def test_signatures_may_be_mapped_from_a_file(tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    signatures = np.repeat(random.integers(0, 256, (50, 400), dtype=np.uint8), 2, axis=0)
    signatures.tofile(tmp_path / "signatures")
    mapped = np.memmap(tmp_path / "signatures", dtype=np.uint8, mode="r", shape=signatures.shape)
    assert np.array_equal(clusters_of(mapped, 20, 20).survivor, np.arange(100) // 2 * 2)


def test_no_documents_give_no_clusters() -> None:
    assert len(clusters_of(np.zeros((0, 400), dtype=np.uint8), 20, 20).survivor) == 0


def test_a_wrong_width_is_an_error_that_names_both() -> None:
    with pytest.raises(ValueError, match="signatures of 400 values cannot be cut into 14 bands of 8 rows"):
        clusters_of(np.zeros((1, 400), dtype=np.uint8), 8, 14)
