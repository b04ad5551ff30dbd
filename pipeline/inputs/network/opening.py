"""Opens an input by its name: a path, a web address, or the URI of a store that fsspec knows."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from pipeline.inputs.record import InputError

# Enough for the head of a file to be read twice, as readers do that look at it first, and little beside a page.
_BUFFER_BYTES = 256 << 10

# What to install for a scheme, and what to do when it does not answer.
_S3 = "kotokura with its extra [s3]"
_PACKAGES = {"s3": _S3, "s3a": _S3, "hf": "huggingface_hub", "gs": "gcsfs", "gcs": "gcsfs"}
_REMEDIES = {
    "hf": "download it first (pip install huggingface_hub; hf download --repo-type dataset OWNER/NAME --local-dir FOLDER) "
    "and name the folder",
    "s3": "check the name, the credentials and the region (AWS_PROFILE, AWS_REGION)",
}


def scheme_of(uri: str) -> str:
    """The scheme of a URI in lower case, or "" for a path."""
    scheme, colon, _ = uri.partition("://")
    return scheme.lower() if colon else ""


def is_web_address(uri: str) -> bool:
    """Whether `uri` is read over HTTP."""
    return scheme_of(uri) in ("http", "https")


def open_stream(uri: str, version: str = "") -> IO[bytes]:
    """A seekable stream of the file's bytes, not decompressed.

    version: the state that a file on a web server must have; "" if any will do. Raises InputError if it cannot be opened, and
    its `read` raises InputError if it cannot be read on.
    """
    if not scheme_of(uri):
        try:
            return Path(uri).open("rb")
        except OSError as error:
            raise InputError(f"{uri}: {_said(error)}") from error
    if is_web_address(uri):
        from pipeline.inputs.network.http_file import HttpFile  # aiohttp takes 0.2 s to import

        return io.BufferedReader(HttpFile(uri, version), _BUFFER_BYTES)
    return io.BufferedReader(_StoredFile(uri), _BUFFER_BYTES)


class _StoredFile(io.RawIOBase):
    """A file that fsspec opens, with errors of whatever library is beneath as InputError."""

    def __init__(self, uri: str) -> None:
        super().__init__()
        self.uri = uri
        with store_errors(uri):
            filesystem, path = file_system_of(uri)
            self.stream: Any = filesystem.open(path, "rb")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self.stream.seek(offset, whence))

    def readinto(self, buffer: Any) -> int:
        with store_errors(self.uri):
            data = self.stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self.stream.close()
        super().close()


def file_system_of(uri: str) -> tuple[Any, str]:
    """Fsspec's file system for a URI, and the path in it. Raises ImportError or ValueError if the scheme cannot be used."""
    from fsspec.core import url_to_fs

    file_system, path = url_to_fs(uri)
    return file_system, str(path)


@contextmanager
def store_errors(uri: str) -> Iterator[None]:
    """Turn any error of a store's library into one line that names the URI, the cause and the remedy."""
    scheme = scheme_of(uri)
    try:
        yield
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"{uri}: no such file") from error
    except ImportError as error:
        package = _PACKAGES.get(scheme, f"what fsspec needs for {scheme}://")
        raise InputError(f"{uri}: a package for {scheme}:// is missing; install {package} ({_said(error)})") from error
    except Exception as error:  # each library behind fsspec has errors of its own
        if isinstance(error, ValueError) and "Protocol not known" in str(error):
            raise InputError(f"{uri}: no scheme {scheme}:// is known; name a path, or https://, s3://, hf://, gs://") from error
        remedy = f"; {_REMEDIES[scheme]}" if scheme in _REMEDIES else ""
        raise InputError(f"{uri} cannot be read: {_cause(uri, error)}{remedy}") from error


def _cause(uri: str, error: Exception) -> str:
    if is_web_address(uri):
        from pipeline.inputs.network import patience  # aiohttp takes 0.2 s to import

        if isinstance(error, patience.FAILURES):
            return patience.failure_of(error).cause
    return _said(error)


def _said(error: BaseException) -> str:
    """The first line of an error's message, with its type where there is no message."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
