"""Where the bundled manifests and the sample are, and what a relative name in a manifest means.

A name that a user types starts at the current folder. A name in a manifest starts at the manifest's own folder if something is
there, otherwise at the current folder; so a manifest works from every folder, and the bundled ones write where the user is.
"""

import functools
import getpass
import glob
import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.config import nearest
from pipeline.errors import UserError

# The keys of a manifest whose values name files or folders. A tokenizer of kind tiktoken has a name instead, which is no file.
PATH_KEYS = (
    "input",
    "output",
    "measure.ng_expressions",
    "measure.allowed_expressions",
    "measure.dating_expressions",
    "dedup.against",
    "hosts.lists",
    "tokenizer.model",
)
SAMPLE_RECORDS = 214


@functools.cache
def bundled_folder() -> Path | None:
    """The folder of the bundled manifests: of the checkout, or as a wheel installs it; None if neither is there."""
    checkout = Path(__file__).resolve().parents[1] / "manifests"
    if (checkout / "ja_web.yaml").is_file():
        return checkout
    try:
        files = importlib.metadata.files("kotokura") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    installed = [Path(str(file.locate())) for file in files if file.match("share/kotokura/manifests/ja_web.yaml")]
    return installed[0].resolve().parent if installed else None


def bundled_names() -> list[str]:
    """The names of the bundled manifests, without their suffix."""
    folder = bundled_folder()
    return sorted(path.stem for path in folder.glob("*.yaml")) if folder else []


def find_manifest(name: str) -> Path:
    """The file of the manifest `name`: a file, a bundled manifest's name, or the folder of a corpus. Raises UserError."""
    path = Path(name)
    if path.is_file():
        return path
    folder, short = bundled_folder(), name.removeprefix("manifests/").removesuffix(".yaml")
    if folder and short in bundled_names():
        return folder / f"{short}.yaml"
    if (path / "manifest.yaml").is_file():
        return path / "manifest.yaml"
    if path.is_dir():
        raise UserError(f"{name} is a folder that holds no corpus; name a manifest, or the folder of a corpus")
    close = nearest(short, bundled_names())
    hint = f"did you mean {close!r}?" if close else f"bundled ones are {', '.join(bundled_names())}"
    raise UserError(f"{name}: No such file or directory; {hint}")


def is_bundled(path: Path) -> bool:
    """Whether the manifest `path` is one of the bundled ones."""
    folder = bundled_folder()
    return folder is not None and path.resolve().parent == folder


def user_name() -> str:
    """The name of the user, for records of who asked; "unknown" where the system has none, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "unknown"


def sample_pattern() -> str:
    """The glob of the bundled sample's files. Raises UserError if this installation has none."""
    folder = bundled_folder()
    sample = folder.parent / "data" / "sample" if folder else None
    if sample is None or not any(sample.glob("*.warc.gz")):
        raise UserError("no input named, and this installation has no bundled sample; name your crawl with --input")
    return str(sample / "*.warc.gz")


def resolve_names(content: dict[str, Any], base: Path, keys: tuple[str, ...] = PATH_KEYS) -> None:
    """Make the relative names in a manifest's `content` absolute where something is there under the folder `base`."""
    for key in keys:
        *sections, last = key.split(".")
        section: Any = content
        for name in sections:
            section = section.get(name) if isinstance(section, Mapping) else None
        if not isinstance(section, dict) or (key == "tokenizer.model" and section.get("kind") == "tiktoken"):
            continue
        value = section.get(last)
        if isinstance(value, str):
            section[last] = _resolved(value, base)
        elif isinstance(value, list | tuple):
            section[last] = [_resolved(item, base) if isinstance(item, str) else item for item in value]


def _resolved(name: str, base: Path) -> str:
    if "://" in name or not name or Path(name).is_absolute():
        return name
    there = (base / name).exists() or (glob.has_magic(name) and any(base.glob(name)))
    return str((base / name).absolute()) if there else name


def absolute_names(content: dict[str, Any]) -> None:
    """Make `input` and `output`, which start at the current folder, absolute: for a manifest that is stored in a corpus."""
    inputs = [name if "://" in name else str(Path(name).absolute()) for name in content["input"]]
    content |= {"input": inputs, "output": str(Path(content["output"]).absolute())}
