"""Signs of links to headings: the # or ¶ that blog engines and documentation generators show after a heading under the mouse.

A reader of the page never saw them, and a text full of 「まとめ#」 teaches a model to write them. A single line that ends in #
may be about the sign, so they are removed only if several lines end in one.
"""

import re

from pipeline.text.edits import Edit

FEWEST_ANCHORS = 2
JAPANESE_HEADING = "\u3041-\u3096\u30a1-\u30fa\u30fc\u3005\u3400-\u9fff"
_LINE_ENDS = "(?=[^\\S\n]*+$)"
_BEHIND_JAPANESE = re.compile(f"[#¶](?<=[{JAPANESE_HEADING}][#¶]){_LINE_ENDS}", re.MULTILINE)
# If headings have the sign, so do those that end in a bracket, a mark or a Latin word. C# and F# have only one letter before it.
_BEHIND_HEADING = re.compile(
    f"[#¶](?:(?<=[{JAPANESE_HEADING}）)」』】！？!?…%][#¶])|(?<=[A-Za-z0-9]{{2}}[#¶])){_LINE_ENDS}", re.MULTILINE
)


def anchor_edits(text: str) -> list[Edit]:
    """Deletions of the signs at the ends of headings, if at least `FEWEST_ANCHORS` lines end in one after kana or kanji."""
    if "#" not in text and "¶" not in text:
        return []
    if sum(1 for _ in _BEHIND_JAPANESE.finditer(text)) < FEWEST_ANCHORS:
        return []
    return [Edit(match.start(), match.end(), "anchor", "") for match in _BEHIND_HEADING.finditer(text)]
