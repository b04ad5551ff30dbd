"""How passes are computed: keys of dropout, and training without it."""

import numpy as np
import torch

from tests.trainer.optimization.test_step import COMPUTATION, batch_of, new_model
from trainer.optimization.computation import Computation, dropout_keys


def test_dropout_keys_follow_seed_and_sequence_and_do_not_collide() -> None:
    keys = dropout_keys(0, np.arange(20_000))
    assert np.array_equal(keys[100:200], dropout_keys(0, np.arange(100, 200)))
    assert len(np.unique(keys)) > 19_990  # of 32 bits, some hundredths of a collision are expected in 20,000
    assert not np.intersect1d(dropout_keys(1, np.arange(1000)), keys[:1000]).size
    bits = (keys.view(np.uint32)[:, None] >> np.arange(32, dtype=np.uint32)) & 1
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 0.02


def test_without_dropout_training_and_scoring_are_the_same_numbers() -> None:
    model = new_model()
    plain = Computation("loop", torch.float32, dropout_seed=None)
    batch = batch_of(range(4))
    with torch.no_grad():
        training, scoring, dropped = (
            computation.loss(model, batch, torch.device("cpu"), training=flag)[1]
            for computation, flag in ((plain, True), (COMPUTATION, False), (COMPUTATION, True))
        )
    assert torch.equal(training, scoring)
    assert not torch.allclose(scoring, dropped)
