"""The settings of `measure`: the lists of expressions that it counts."""

from pathlib import Path

from pydantic import Field

from pipeline.config import Config


class MeasureConfig(Config):
    """The manifest's section `measure`. Each key names a file or a folder of `.txt` files; null means the bundled list."""

    ng_expressions: Path | None = Field(None, description="expressions that mark a page as offensive or sexual")
    allowed_expressions: Path | None = Field(None, description="innocent words that hold an NG expression")
    dating_expressions: Path | None = Field(None, description="expressions that dating services use of themselves")
