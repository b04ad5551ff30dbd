"""The hash, compared with a restatement in numpy, and the properties of dropout."""

import numpy as np
import numpy.typing as npt
import pytest
import torch

from model.dropout import dropout, keep_mask, place_key


def lowbias32(x: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """The published function, in uint32, which wraps."""
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


def test_masks_equal_a_restatement_in_unsigned_arithmetic() -> None:
    keys = np.array([0, 1, -1, 2**31 - 1, -(2**31), 123456789], dtype=np.int32)
    place_keys = place_key(torch.from_numpy(keys), 7).numpy()
    expected_keys = lowbias32(keys.view(np.uint32) + np.uint32(7 * 0x9E3779B9 % 2**32))
    assert np.array_equal(place_keys.view(np.uint32), expected_keys)
    mask = keep_mask(torch.from_numpy(keys), (4, 5), 0.3).numpy()
    hashes = lowbias32(np.arange(20, dtype=np.uint32) ^ keys.view(np.uint32)[:, None])
    # The mask compares signed numbers: the order of int32 is that of uint32 with the sign bit flipped.
    signed = hashes.view(np.int32).reshape(-1, 4, 5)
    assert np.array_equal(mask, signed >= round(0.3 * 2**32) - 2**31)


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_the_share_dropped_is_the_probability_and_neighbours_are_independent(probability: float) -> None:
    mask = keep_mask(torch.arange(8, dtype=torch.int32), (256, 128), probability).float()
    count = mask.numel()
    assert float(1 - mask.mean()) == pytest.approx(probability, abs=4 * (probability * (1 - probability) / count) ** 0.5)
    centred = mask - mask.mean()
    for shifted in (centred[:, :, 1:] * centred[:, :, :-1], centred[:, 1:] * centred[:, :-1], centred[1:] * centred[:-1]):
        assert abs(float(shifted.mean() / centred.var())) < 4 * shifted.numel() ** -0.5


def test_what_is_kept_is_scaled_so_that_the_mean_stays() -> None:
    x = torch.ones(4, 100, 100)
    dropped = dropout(x, torch.arange(4, dtype=torch.int32), 0.25)
    assert set(dropped.unique().tolist()) == {0.0, float(torch.tensor(1 / 0.75))}
    assert float(dropped.mean()) == pytest.approx(1, abs=0.02)


def test_without_keys_or_probability_nothing_changes() -> None:
    x = torch.randn(2, 3)
    assert dropout(x, None, 0.5) is x
    assert dropout(x, torch.zeros(2, dtype=torch.int32), 0) is x
