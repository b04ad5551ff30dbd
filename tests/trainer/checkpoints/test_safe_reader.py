"""The index of a sharded checkpoint can be read, and cannot run anything."""

import os
import pickle
from pathlib import Path

import pytest
import torch
from torch.distributed.checkpoint.metadata import Metadata
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from trainer.checkpoints.safe_reader import SafeReader

VALUES = {"a.exp_avg": torch.arange(12.0).reshape(3, 4), "a.step": torch.tensor(3.0), "b": torch.ones(2, dtype=torch.bfloat16)}


def test_what_torch_writes_is_read_back(tmp_path: Path) -> None:
    save(dict(VALUES), checkpoint_id=tmp_path, no_dist=True)
    found = {name: torch.zeros_like(value) for name, value in VALUES.items()}
    load(found, storage_reader=SafeReader(tmp_path), no_dist=True)
    for name, value in VALUES.items():
        assert torch.equal(found[name], value), name


class _Program:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder / "ran"),)


def test_an_index_that_names_a_program_does_not_run_it(tmp_path: Path) -> None:
    (tmp_path / ".metadata").write_bytes(pickle.dumps(_Program(tmp_path)))
    with pytest.raises(pickle.UnpicklingError, match="mkdir"):
        SafeReader(tmp_path).read_metadata()
    assert not (tmp_path / "ran").exists()


def test_an_index_names_no_file_outside_the_folder(tmp_path: Path) -> None:
    save(dict(VALUES), checkpoint_id=tmp_path, no_dist=True)
    path = tmp_path / ".metadata"
    metadata = pickle.loads(path.read_bytes())
    assert isinstance(metadata, Metadata)
    for stored in metadata.storage_data.values():
        vars(stored)["relative_path"] = "../other"
    path.write_bytes(pickle.dumps(metadata))
    with pytest.raises(pickle.UnpicklingError, match="outside the checkpoint"):
        SafeReader(tmp_path).read_metadata()
