"""Cleaning restated line by line: each text by itself, every row of navigation tried on every line that has a word for it."""

import itertools
import re
from collections.abc import Callable, Sequence

from pipeline.clean.anchors import anchor_edits
from pipeline.clean.config import CleanConfig
from pipeline.clean.footers import footer_start
from pipeline.clean.navigation import HEAD_LINES, ORNAMENTS, navigation_sections
from pipeline.text.edits import Edit, apply, merge, original_spans
from pipeline.text.invisible import character_edits

LONGEST_FURNITURE = 300
_CONTENTS_BEGIN = 10
_SHORTEST_CONTENTS = 3
_LONGEST_CONTENTS = 500
_LONGEST_ENUMERATION = 5
_LONGEST_HEADING = 100
_MOST_WITHOUT_TEXT = 1 / 3
_LABEL = re.compile("[■●◆【\\[]?(?:目 ?次|もくじ|Contents|Table of [Cc]ontents|TOC)[】\\]]?[:：]?")
_KANA_OR_KANJI = re.compile("[\u3041-\u3096\u30a1-\u30fa\u3400-\u9fff]")
_SENTENCE_ENDS = tuple("。．！？!?.:：")
WORDED = [(section.words, re.compile("|".join(section.rows))) for section in navigation_sections() if section.words]
HEAD = re.compile("|".join(row for section in navigation_sections() if not section.words for row in section.rows))


def find_edits(text: str, config: CleanConfig, came_as_text: bool) -> list[Edit]:
    """What `pipeline.clean.stage.find_edits` returns, for texts without fences and without carriage returns before line feeds."""
    steps = {step: step in config.steps for step in ("invisible", "kana", "line_end")}
    line_ends = steps["line_end"] if came_as_text else None
    return _find(
        text,
        (
            lambda seen: character_edits(seen, steps["invisible"], steps["kana"], line_ends),
            lambda seen: anchor_edits(seen) if "anchor" in config.steps else [],
            lambda seen: _line_edits(seen, config, came_as_text),
        ),
    )


def _find(text: str, finders: Sequence[Callable[[str], list[Edit]]]) -> list[Edit]:
    """The edits of all `finders`, each of which sees the text as those before it leave it, as edits against `text`."""
    found = finders[0](text)
    if len(finders) == 1:
        return found
    if not found:
        return _find(text, finders[1:])
    # The edits of lines take precedence, since a removed line includes the edits of its characters.
    return merge(original_spans(_find(apply(text, found), finders[1:]), found), found)


def _line_edits(text: str, config: CleanConfig, came_as_text: bool) -> list[Edit]:
    """The edits of whole lines, white space and punctuation; `text` needs no character edits."""
    lines = text.split("\n")
    removed: dict[int, str] = {}
    if "navigation" in config.steps:
        _remove(lines, removed, "navigation", navigation_lines)
    # Navigation is looked for again after repetitions are removed, as these lengthen the head of the page.
    if "repeat" in config.steps and _remove(lines, removed, "repeat", repeated_lines) and "navigation" in config.steps:
        _remove(lines, removed, "navigation", navigation_lines)
    if "footer" in config.steps:
        kept = _last_lines(lines, removed, config.footer_lines)
        start = footer_start([lines[index] for index in kept], config.footer_lines, config.footer_share)
        removed |= dict.fromkeys(kept[start:], "footer")
    strips = "whitespace" in config.steps and not came_as_text
    if strips and not all(map(str.strip, lines)):
        removed |= dict.fromkeys(_superfluous_blanks(lines, removed), "whitespace")
    strip = strips and list(map(str.rstrip, lines)) != lines
    edits = _removals(lines, removed, strip) if removed or strip else []
    return merge(edits, _punctuation_edits(text, edits)) if "punctuation" in config.steps else edits


def _remove(lines: Sequence[str], removed: dict[int, str], kind: str, find: Callable[[Sequence[str]], list[int]]) -> bool:
    """Whether `find` finds any of the lines that are neither blank nor removed; it adds what it finds to `removed`."""
    if not removed and all(map(str.strip, lines)):
        found = find(lines)
    else:
        left = [index for index, line in enumerate(lines) if index not in removed and line.strip()]
        found = [left[index] for index in find([lines[index] for index in left])]
    removed |= dict.fromkeys(found, kind)
    return bool(found)


def _last_lines(lines: Sequence[str], removed: dict[int, str], count: int) -> list[int]:
    """Indices of the last `count` lines that are neither blank nor removed, in order."""
    last: list[int] = []
    for index in range(len(lines) - 1, -1, -1):
        if len(last) == count:
            break
        if index not in removed and lines[index].strip():
            last.append(index)
    return last[::-1]


def _superfluous_blanks(lines: Sequence[str], removed: dict[int, str]) -> list[int]:
    """Blank lines at the start or end of the text, and after another one where a line between them is `removed`."""
    superfluous: list[int] = []
    blanks: list[int] = []
    seen_text = goes = False
    for index, line in enumerate(lines):
        if index in removed:
            goes = True
        elif not line or line.isspace():
            blanks.append(index)
        else:
            if not seen_text:
                superfluous += blanks
            elif goes:
                superfluous += blanks[1:]
            blanks, seen_text, goes = [], True, False
    return superfluous + blanks


def _removals(lines: Sequence[str], removed: dict[int, str], strip: bool) -> list[Edit]:
    """Deletions of the `removed` lines, each with one line feed, and of white space at the ends of the others.

    Neighbouring lines that go for one reason are one edit.
    """
    last_kept = next((index for index in range(len(lines) - 1, -1, -1) if index not in removed), -1)
    edits: list[Edit] = []
    start = 0
    for index, line in enumerate(lines):
        end = start + len(line)
        if index in removed:
            # Lines after the last kept one are deleted with the line feed before them, others with the one after them.
            first, past = (start, end + 1) if index < last_kept else (max(start - 1, 0), end)
            if edits and edits[-1].end == first and edits[-1].kind == removed[index] and edits[-1].start < first:
                edits[-1] = edits[-1]._replace(end=past)
            elif first < past:
                edits.append(Edit(first, past, removed[index], ""))
        elif strip and line[-1:].isspace():
            edits.append(Edit(start + len(line.rstrip()), end, "whitespace", ""))
        start = end + 1
    return edits


def navigation_lines(lines: Sequence[str]) -> list[int]:
    """Indices of the `lines` that are navigation, in order."""
    found = {
        index
        for index, line in enumerate(lines)
        if len(line) <= LONGEST_FURNITURE
        for words, rows in WORDED
        if any(word in line.replace("\xa0", " ") for word in words) and rows.fullmatch(_bare(line)) and not _is_code(line)
    }
    lines_of_text = 0
    for index, line in enumerate(lines):
        if lines_of_text == HEAD_LINES:
            break
        if index not in found and line.strip():
            if len(line) <= LONGEST_FURNITURE and HEAD.fullmatch(_bare(line)) and not _is_code(line):
                found.add(index)
            else:
                lines_of_text += 1
    return sorted(found)


def _is_code(line: str) -> bool:
    return line.startswith(("\t", "    "))


def _bare(line: str) -> str:
    return line.strip(ORNAMENTS).replace("\xa0", " ")


def repeated_lines(lines: Sequence[str]) -> list[int]:
    """Indices of the `lines` that are repeated below, in order; `lines` has no blank ones."""
    if len(set(lines)) == len(lines) and not any(map(_LABEL.fullmatch, lines[:HEAD_LINES])):
        return []
    return sorted({*_doubled(lines), *_contents(lines)})


def _doubled(lines: Sequence[str]) -> list[int]:
    """The first of two equal neighbours in the head of the page: a title above a title, a teaser above a paragraph."""
    doubled = []
    lines_of_text = 0
    for index, (line, following) in enumerate(itertools.pairwise(lines)):
        if lines_of_text == HEAD_LINES:
            break
        if line == following and _KANA_OR_KANJI.search(line):
            doubled.append(index)
        else:
            lines_of_text += 1
    return doubled


def _contents(lines: Sequence[str]) -> list[int]:
    """The first list of contents with its label, or a label in the head of the page that a sentence follows."""
    last_index = {line: index for index, line in enumerate(lines)}
    for start in range(min(_CONTENTS_BEGIN, len(lines))):
        label = [start - 1] if start and _LABEL.fullmatch(lines[start - 1]) else []
        past = start
        while past < min(len(lines), start + _LONGEST_CONTENTS) and _is_heading(lines[past]) and last_index[lines[past]] > past:
            past += 1
        follows_text = not label and (start > 1 or (start == 1 and lines[0].endswith(_SENTENCE_ENDS)))
        shortest = _LONGEST_ENUMERATION + 1 if follows_text else _SHORTEST_CONTENTS
        if past - start >= shortest:
            count = _count_contents(lines, start, past)
            if count >= shortest:
                return [*label, *range(start, start + count)]
        if label and start <= HEAD_LINES and lines[start].endswith(_SENTENCE_ENDS):
            return label
    return []


def _count_contents(lines: Sequence[str], start: int, past: int) -> int:
    """How many of `lines[start:past]` come again below `past` in the same order; 0 unless they do so like headings."""
    again: list[int] = []
    position = past - 1
    for line in lines[start:past]:
        try:
            position = lines.index(line, position + 1)
        except ValueError:
            break
        again.append(position)
    without_text = sum(position - before == 1 for before, position in itertools.pairwise(again))
    japanese = sum(_KANA_OR_KANJI.search(line) is not None for line in lines[start : start + len(again)])
    are_headings = without_text <= _MOST_WITHOUT_TEXT * (len(again) - 1) and japanese >= len(again) / 2
    return len(again) if are_headings else 0


def _is_heading(line: str) -> bool:
    return len(line) <= _LONGEST_HEADING and not line[0].isspace() and not line.endswith(("。", "．"))


JAPANESE_WORD = re.compile(
    "[\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3005-\u3007\u303b\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff）)」』】〕］\\]｝}》〉”’]"
)


def _punctuation_edits(text: str, removals: Sequence[Edit]) -> list[Edit]:
    """Mark by mark: the Western ones, except between ASCII letters or digits and after full-width ones."""
    edits: list[Edit] = []
    gone = {position for edit in removals for position in range(edit.start, edit.end)}
    for japanese, western in (("、", "，"), ("。", "．")):
        count = {
            mark: sum(
                text[index] == mark and index not in gone and JAPANESE_WORD.match(text[index - 1]) is not None
                for index in range(1, len(text))
            )
            for mark in (japanese, western)
        }
        if count[western] <= count[japanese] or not re.search("[\u3041-\u3096\u30a1-\u30fa]", text):
            continue
        for run in re.finditer(f"{western}+", text):
            before, behind = text[max(run.start() - 1, 0) : run.start()] or " ", text[run.end() : run.end() + 1] or " "
            is_number = all(character.isascii() and character.isalnum() for character in (before, behind))
            if not is_number and not re.match("[Ａ-Ｚａ-ｚ０-９]", before):
                edits.append(Edit(run.start(), run.end(), "punctuation", japanese * len(run.group())))
    return sorted(edits)
