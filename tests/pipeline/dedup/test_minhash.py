"""MinHash signatures: what they ignore, that their estimate is unbiased, and that bands find as many pairs as in theory."""

import hashlib
import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.dedup import minhash

MASK = 2**64 - 1
KANJI = [chr(code_point) for code_point in range(0x4E00, 0x9000)]


def plain_mix(state: int) -> int:
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & MASK
    return state ^ (state >> 31)


def plain_signature(text: str, shingle: int, values: int) -> list[int]:
    """The definition, without blocks, tables of closed bins or removal of repeats."""
    gamma = 0x9E3779B97F4A7C15
    seed = int.from_bytes(hashlib.blake2b(b"kotokura minhash 1", digest_size=8).digest(), "little")
    multipliers = [plain_mix((seed + (index + 1) * gamma) & MASK) | 1 for index in range(shingle)]
    table = minhash.folding_table()
    folded = [int(table[ord(c)]) if ord(c) < 0x10000 else ord(c) for c in text]
    folded = [code_point for code_point in folded if code_point]
    shingles = {tuple(folded[start : start + shingle]) for start in range(len(folded) - shingle + 1)}
    if not shingles:
        return [0] * values
    hashes = [sum(c * m for c, m in zip(codes, multipliers, strict=True)) & MASK for codes in shingles]
    filled: dict[int, int] = {}
    turn = 0
    while len(filled) < values:
        turn += 1
        lowest: dict[int, int] = {}
        for value in hashes:
            draw = plain_mix((value + turn * gamma) & MASK)
            bin_, low = ((draw >> 32) * values) >> 32, draw & 0xFFFFFFFF
            lowest[bin_] = min(lowest.get(bin_, low), low)
        filled = {**lowest, **filled}
    return [filled[bin_] & 0xFF for bin_ in range(values)]


def shingle_set(text: str, shingle: int = 5) -> set[str]:
    return {text[start : start + shingle] for start in range(len(text) - shingle + 1)}


def random_text(random: np.random.Generator, length: int) -> str:
    return random.integers(0x4E00, 0x9000, length, dtype=np.uint32).tobytes().decode("utf-32-le")


def pairs_near(target: float, length: int, count: int, seed: int) -> tuple[list[str], list[str], npt.NDArray[np.float64]]:
    """Pairs of random texts that share a beginning, and the exact Jaccard similarity of each pair (about `target`)."""
    random = np.random.default_rng(seed)
    shared = round(length * 2 * target / (1 + target))
    one, other, exact = [], [], []
    for _ in range(count):
        head = random_text(random, shared)
        first, second = (head + random_text(random, length - shared) for _ in range(2))
        one.append(first)
        other.append(second)
        exact.append(len(shingle_set(first) & shingle_set(second)) / len(shingle_set(first) | shingle_set(second)))
    return one, other, np.array(exact)


texts = st.text(alphabet=st.sampled_from("あいうｱＡaA 　\n𠮷㈱ー。"), max_size=60) | st.text(max_size=30)


@settings(max_examples=60, deadline=None)
@given(text=texts, shingle=st.integers(1, 6), values=st.sampled_from([1, 7, 40]))
def test_equals_the_plain_definition(text: str, shingle: int, values: int) -> None:
    assert minhash.signatures([text], shingle=shingle, values=values)[0].tolist() == plain_signature(text, shingle, values)


@pytest.mark.parametrize("text", ["".join(KANJI[:9000]), "".join(KANJI[:3]) * 3000, "".join(KANJI[:4500]) + "あ" * 5000])
def test_equals_the_plain_definition_beyond_one_block_and_with_repeats(text: str) -> None:
    assert minhash.signatures([text], shingle=5, values=64)[0].tolist() == plain_signature(text, 5, 64)


def test_a_text_is_its_set_of_shingles() -> None:
    three, five = minhash.signatures(["あいうえおか" * 3, "あいうえおか" * 5], shingle=5, values=400)
    assert np.array_equal(three, five)


@pytest.mark.parametrize(
    "variant",
    [
        "ＰＹＴＨＯＮでカタカナを書く。",
        "python で\nカタカナ　を書く。",
        "Pythonでｶﾀｶﾅを書く。",
        "P y t h o nでカタカナを書く｡",
    ],
)
def test_width_case_and_white_space_do_not_count(variant: str) -> None:
    plain, folded = minhash.signatures(["Pythonでカタカナを書く。", variant], shingle=5, values=400)
    assert np.array_equal(plain, folded)


def test_texts_without_a_shingle_have_no_signature() -> None:
    batch = ["", "あいうえ", "あ い う え", " \n　" * 9, "あいうえお", "\ud800" * 5]
    signatures = minhash.signatures(batch, shingle=5, values=400)
    assert minhash.has_signature(signatures).tolist() == [False, False, False, False, True, True]
    assert not signatures[:4].any()


def test_an_empty_batch_gives_an_empty_array() -> None:
    assert minhash.signatures([], shingle=5, values=400).shape == (0, 400)


def test_signatures_do_not_depend_on_the_batch() -> None:
    batch = ["".join(KANJI[start : start + 300]) for start in range(0, 3000, 100)]
    alone = np.concatenate([minhash.signatures([text], shingle=5, values=100) for text in batch])
    assert np.array_equal(minhash.signatures(batch, shingle=5, values=100), alone)


def test_signatures_never_change() -> None:
    """Corpora are compared with earlier ones (`against:`), so the bytes must be those of every release."""
    text = "版が変わっても ABC ㈱ 𠮷田 ｱｲｳ の署名は変わらない。"
    signature = minhash.signatures([text], shingle=5, values=400).tobytes()
    assert hashlib.sha256(signature).hexdigest() == "768ab67b245336b8d42a2c1356df491537aa31bf60b32964d4088739fe9ab4dd"


@pytest.mark.parametrize("length", [60, 400, 3000])
@pytest.mark.parametrize("target", [0.5, 0.77, 0.95])
def test_the_estimate_is_unbiased_for_short_and_long_texts(length: int, target: float) -> None:
    one, other, exact = pairs_near(target, length, 100, seed=length)
    equal = (minhash.signatures(one, shingle=5, values=400) == minhash.signatures(other, shingle=5, values=400)).sum(axis=1)
    error = minhash.similarity(equal, 400) - exact
    standard = np.sqrt((exact * (1 - exact)).mean() / 400)
    assert abs(error.mean()) < 4 * standard / math.sqrt(len(error))
    assert error.std() < 1.2 * standard


@pytest.mark.parametrize(("rows", "bands", "target"), [(20, 20, 0.9), (20, 20, 0.85), (8, 14, 0.7), (4, 100, 0.35)])
def test_bands_find_what_the_theory_says(rows: int, bands: int, target: float) -> None:
    one, other, exact = pairs_near(target, 700, 400, seed=rows * bands)
    same = minhash.signatures(one, shingle=5, values=rows * bands) == minhash.signatures(other, shingle=5, values=rows * bands)
    found = same.reshape(-1, bands, rows).all(axis=2).any(axis=1)
    # Two bytes are also equal by chance once in 256.
    theory = 1 - (1 - (exact + (1 - exact) / 256) ** rows) ** bands
    assert abs(found.mean() - theory.mean()) < 4 * np.sqrt((theory * (1 - theory)).sum()) / len(exact)


@given(values=st.integers(1, 800), minimum=st.floats(0, 1))
def test_least_equal_is_the_smallest_count_that_reaches_the_similarity(values: int, minimum: float) -> None:
    least = minhash.least_equal(minimum, values)
    assert minhash.similarity(least, values) >= minimum
    assert least == 0 or minhash.similarity(least - 1, values) < minimum


def test_equal_signatures_have_similarity_one() -> None:
    assert minhash.similarity(400, 400) == 1.0
