"""Reads torch's distributed checkpoints without running what a stranger put into their index.

The index, `.metadata`, is a pickle, and a pickle can call any function of any installed package. Here it can name only classes
that torch's own writer uses. The files that it names must be in the checkpoint's folder.
"""

import pickle
from pathlib import PurePath
from typing import Any

import torch
from torch.distributed.checkpoint.filesystem import FileSystemReader, _StorageInfo
from torch.distributed.checkpoint.metadata import (
    _MEM_FORMAT_ENCODING,
    BytesStorageMetadata,
    ChunkStorageMetadata,
    Metadata,
    MetadataIndex,
    StorageMeta,
    TensorProperties,
    TensorStorageMetadata,
)

_DATA = (
    *(BytesStorageMetadata, ChunkStorageMetadata, Metadata, MetadataIndex, StorageMeta, TensorProperties, TensorStorageMetadata),
    *(_MEM_FORMAT_ENCODING, _StorageInfo, torch.Size),
)
_ALLOWED = {(kind.__module__, kind.__qualname__): kind for kind in _DATA}
# How pickle writes a dtype and a layout, and the classes of containers and paths in an index.
_HARMLESS = {
    ("collections", "OrderedDict"),
    ("collections", "defaultdict"),
    ("builtins", "dict"),
    ("builtins", "set"),
    ("torch.serialization", "_get_layout"),
    ("pathlib", "PosixPath"),
    ("pathlib", "Path"),
    ("torch._utils", "_get_restore_location"),
}


class _DataUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _ALLOWED:
            return _ALLOWED[module, name]
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        if (module, name) in _HARMLESS:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"the index names {module}.{name}, which no checkpoint of this program has")


class SafeReader(FileSystemReader):
    """torch's reader, with an index that can only be data."""

    def read_metadata(self, *_: Any, **options: Any) -> Metadata:
        """The index. Raises UnpicklingError for one that names anything but data, or a file outside the folder."""
        with self.fs.create_stream(self._get_metadata_path(options.get("rank")), "rb") as stream:
            metadata = _DataUnpickler(stream).load()
        if not isinstance(metadata, Metadata) or not isinstance(metadata.storage_data, dict):
            raise pickle.UnpicklingError("the index describes no checkpoint")
        for stored in metadata.storage_data.values():
            if len(PurePath(stored.relative_path).parts) != 1 or stored.relative_path in ("..", "."):
                raise pickle.UnpicklingError(f"the index names {stored.relative_path}, which is outside the checkpoint")
        if metadata.storage_meta is None:
            metadata.storage_meta = StorageMeta()
        metadata.storage_meta.load_id = self.load_id
        return metadata
