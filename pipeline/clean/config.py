"""The settings of `clean`: its steps, and the rule that judges what is left."""

from typing import Literal, get_args

from pydantic import Field

from pipeline.config import Config
from pipeline.rules import Rule

Step = Literal["invisible", "kana", "line_end", "anchor", "navigation", "repeat", "footer", "whitespace", "punctuation"]
STEPS: tuple[Step, ...] = get_args(Step)


class CleanConfig(Config):
    """The `clean` section of the manifest."""

    steps: tuple[Step, ...] = Field(default=STEPS, description="what is done; Swallow does footer and punctuation alone")
    # Swallow's paper looks at 3 lines, its code at 10. Blank lines and lines of navigation do not count here, so 3 lines reach
    # further than in the paper, and a wrong cut costs little.
    footer_lines: int = Field(default=3, ge=1, description="how many of the last lines may be a footer")
    footer_share: float = Field(default=0.3, ge=0, le=1, description="share of keyword letters above which a line is a footer")


RULES: tuple[Rule, ...] = (
    Rule("empty_after_cleaning", minimum=1, column="n_chars", source="a document without a character teaches nothing"),
)


def rules_of(_config: CleanConfig) -> tuple[Rule, ...]:
    """The rules that judge a document after its edits: `n_chars` is the number of characters left."""
    return RULES
