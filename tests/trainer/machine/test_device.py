"""Devices and precisions that depend on the machine."""

import pytest
import torch

from trainer.errors import TrainerError
from trainer.machine.device import chosen_device, chosen_precision


def test_what_is_asked_for_is_taken_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert chosen_device("auto") == chosen_device("cpu") == torch.device("cpu")
    with pytest.raises(TrainerError, match=r"device cuda: .* use --device auto"):
        chosen_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert chosen_device("auto") == torch.device("cuda")


@pytest.mark.parametrize("tiles", [True, False])
def test_a_cpu_computes_in_bf16_where_it_has_tiles_for_it(tiles: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: tiles)
    assert chosen_precision("auto", torch.device("cpu")) == (torch.bfloat16 if tiles else torch.float32)
    assert chosen_precision("bf16", torch.device("cpu")) == torch.bfloat16
    assert chosen_precision("fp32", torch.device("cpu")) == torch.float32


@pytest.mark.parametrize("supported", [True, False])
def test_a_gpu_computes_in_bf16_where_it_has_it(supported: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: supported)
    assert chosen_precision("auto", torch.device("cuda")) == (torch.bfloat16 if supported else torch.float32)
