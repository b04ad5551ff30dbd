"""The model in a folder, whoever wrote it: a checkpoint, a run (its newest checkpoint), an export, or a Hugging Face folder."""

import re
from pathlib import Path

import torch

from model.gpt import GPT
from model.hugging_face.folder import CONFIG_FILE as HUGGING_FACE_FILE
from model.hugging_face.folder import read_hugging_face
from model.weights import CONFIG_FILE, load_model
from pipeline.tokens.store import DATASET_FILE
from trainer.checkpoints.folder import CHECKPOINT_FILE, open_checkpoint
from trainer.config import CONFIGURATION_FILE
from trainer.errors import TrainerError

# OWNER/MODEL, as the hub names a model.
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_REMEDY = "name a run such as runs/default, one of its checkpoints, or the folder of an exported model"


def model_folder(path: Path) -> Path:
    """The folder with the files of the model that `path` means; the files of a checkpoint are verified.

    Raises TrainerError that tells apart a missing folder, a file, a corpus, a run without a checkpoint and anything else.
    """
    if not path.exists():
        place = "" if path.is_absolute() else f" in {Path.cwd()}"
        hub = f"; a model of the Hugging Face hub is downloaded first: hf download {path} --local-dir FOLDER"
        raise TrainerError(f"{path}: there is no such folder{place}; {_REMEDY}{hub if _HUB_NAME.fullmatch(str(path)) else ''}")
    if not path.is_dir():
        raise TrainerError(f"{path}: is a file; {_REMEDY}")
    if (path / HUGGING_FACE_FILE).exists() or ((path / CONFIG_FILE).exists() and not (path / CHECKPOINT_FILE).exists()):
        return path
    if any((folder / DATASET_FILE).exists() for folder in (path, path / "tokens")):
        raise TrainerError(f"{path}: holds token shards and no model; {_REMEDY}")
    if (path / CONFIGURATION_FILE).exists() and not any((path / "checkpoints").glob("*step-*")):
        raise TrainerError(f"{path}: this run has no checkpoint yet; wait for one, or continue it: --resume --output runs/NAME")
    return open_checkpoint(path).path


def read_model(folder: Path, device: torch.device) -> GPT:
    """The model in a folder that `model_folder` returned. Raises ModelError if it is damaged or a GPT cannot express it."""
    if (folder / HUGGING_FACE_FILE).exists():
        return read_hugging_face(folder).to(device)
    return load_model(folder, device)
