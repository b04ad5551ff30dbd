"""`--version`: everything that decides results, besides the manifest and the inputs.

The libraries are those that the stages use. Their versions are in the keys of the units, so a new version of one makes a stage
stale. The code version of a stage is the hash that the `manifest.yaml` of a corpus records under `versions`.
"""

import importlib.metadata
import platform
from typing import NamedTuple

import pipeline
from pipeline.engine.closure import closure_of_function
from pipeline.engine.keys import code_version
from pipeline.flow import FLOW
from pipeline.terminal import aligned_text


class Versions(NamedTuple):
    """libraries: name of the installed distribution -> version. stages: name -> 16 hex digits, in the order of the flow."""

    kotokura: str
    python: str
    libraries: dict[str, str]
    stages: dict[str, str]


def versions() -> Versions:
    """The versions of this installation."""
    names = {name for stage in FLOW for name in (*closure_of_function(stage.perform).libraries, *stage.libraries)}
    libraries = {name: importlib.metadata.version(name) for name in sorted(names, key=str.lower)}
    stages = {stage.name: code_version(stage) for stage in FLOW}
    return Versions(pipeline.__version__, platform.python_version(), libraries, stages)


def versions_text(found: Versions) -> str:
    """Two tables: the program and its libraries, then the code of the stages."""
    programs = {"kotokura": found.kotokura, "Python": found.python, **found.libraries}
    tables = (aligned_text(["program", "version"], [*programs.items()]), aligned_text(["stage", "code"], [*found.stages.items()]))
    return "\n\n".join(tables)
