"""Two processes that communicate by gloo, compared with a single process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.conftest import ROOT
from tests.trainer.optimization.test_step import gradients_of_step, new_model
from trainer.errors import TrainerError
from trainer.machine.parallel import Parallel


def torchrun(arguments: list[str], ranks: int = 2) -> subprocess.CompletedProcess[str]:
    """Run a module or file on so many ranks of this machine."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=120)


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_ranks_have_the_gradients_of_one_and_skip_together(strategy: str, tmp_path: Path) -> None:
    output = tmp_path / "ranks.safetensors"
    ended = torchrun(["-m", "tests.trainer.ranks", strategy, str(output)])
    assert ended.returncode == 0, ended.stderr[-3000:]
    found = load_file(output)

    gradients, result = gradients_of_step(new_model(), 8)
    assert int(found["tokens"]) == result.tokens
    assert float(found["loss"]) == pytest.approx(result.loss, abs=1e-6)
    assert found["losses"].tolist() == pytest.approx(result.losses_G.tolist(), rel=1e-5)
    assert float(found["norm"]) == pytest.approx(result.gradient_norm, rel=1e-5)
    for name, gradient in gradients.items():
        assert float((found[name] - gradient).abs().max()) < 1e-6, name
    # If the loss is not finite on one rank, both skip the step and no parameters change.
    assert found["skipped"].tolist() == [True, True]


def test_a_process_that_torchrun_did_not_start_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    with Parallel("fsdp", "cpu") as parallel:
        assert (parallel.rank, parallel.world_size, parallel.first, parallel.sharded) == (0, 1, True, False)
        assert parallel.any(True)
        assert not parallel.any(False)
        assert parallel.from_first("word") == "word"
        assert (parallel.failure(None), parallel.failure("disk")) == (None, "disk")
        assert parallel.sum(torch.tensor(3)) == 3


def test_a_rank_without_a_gpu_says_how_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "4096")
    with pytest.raises(TrainerError, match="nproc-per-node"):
        Parallel("ddp", "cuda")
