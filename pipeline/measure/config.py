"""The settings of `measure`: the lists of expressions that it counts."""

from pathlib import Path

from pydantic import Field

from pipeline.config import Config


class MeasureConfig(Config):
    """The section `measure` of the manifest: each key a file or a folder of `.txt` files; null is the bundled list."""

    ng_expressions: Path | None = Field(None, description="expressions that mark a page as offensive or sexual")
    allowed_expressions: Path | None = Field(None, description="innocent words that hold an NG expression")
    dating_expressions: Path | None = Field(None, description="expressions that dating services use of themselves")
