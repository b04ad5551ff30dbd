"""Table of the HTML elements: which open elements a start tag closes, and how far an end tag reaches.

It follows section 13.2.6.4 of the HTML standard, "the rules for parsing tokens in HTML content". The insertion modes are
expressed as classes of elements. `main_text.block_builder` finds blocks with this table, `parser_cost` measures what a parser
would build.
"""

from collections.abc import Iterable

import numpy as np

# Classes of elements, as bits. They say what closes an element, and what stops a search for it.
P, LI, DD, OPTION, CELL, ROW, ROWS, TABLE = 1, 2, 4, 8, 16, 32, 64, 128
SELECT, SCOPE, ANCHOR, BUTTON, RUBY, FOREIGN, BLOCK, LIST, DIVISION = 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536
# Kinds of elements, as bits of a second number. INNERMOST: closes only the innermost open element. IN_TABLE: ignored outside
# tables. TOGGLE: closes the open element instead of opening another.
VOID, RAW, FORMATTING, ONCE, INNERMOST, IN_TABLE, TOGGLE = 1, 2, 4, 8, 16, 32, 64
NO_REOPENING = CELL | ROW | ROWS | TABLE | SCOPE  # formatting elements inside these end with them
BOUNDARY = TABLE | CELL | SCOPE
SPECIAL = BOUNDARY | ROW | ROWS | P | LI | DD | SELECT | BUTTON | BLOCK | DIVISION

# (names, kind, class, classes that a start tag closes, classes that stop it)
ELEMENTS: tuple[tuple[str, int, int, int, int], ...] = (
    ("area base basefont bgsound br col embed frame hr img input keygen link meta param source track wbr", VOID, 0, 0, 0),
    ("script style textarea title xmp iframe noembed noframes", RAW, 0, 0, 0),
    ("html head body", ONCE, 0, 0, 0),
    ("b big code em font i nobr s small strike strong tt u", FORMATTING, 0, 0, 0),
    ("a", FORMATTING, ANCHOR, ANCHOR, BOUNDARY),
    ("p", 0, P, P, BOUNDARY | BUTTON),
    ("address div", 0, DIVISION, P, BOUNDARY | BUTTON),
    (
        "article aside blockquote center details dialog dir dl fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6"
        " header hgroup listing main menu nav pre search section summary",
        0,
        BLOCK,
        P,
        BOUNDARY | BUTTON,
    ),
    ("ol ul", 0, BLOCK | LIST, P, BOUNDARY | BUTTON),
    ("li", 0, LI, LI | P, BLOCK | DD | SELECT | BUTTON | BOUNDARY),
    ("dd dt", 0, DD, DD | P, BLOCK | LI | SELECT | BUTTON | BOUNDARY),
    ("table", 0, TABLE, P, BOUNDARY | BUTTON),
    ("caption colgroup tbody thead tfoot", IN_TABLE, ROWS, ROWS | ROW | CELL, TABLE),
    ("tr", IN_TABLE, ROW, ROW | CELL, TABLE),
    ("td th", IN_TABLE, CELL, CELL, TABLE | ROW),
    ("select", TOGGLE, SELECT, SELECT, BOUNDARY),
    ("option optgroup", INNERMOST, OPTION, OPTION, 0),
    ("button", 0, BUTTON, BUTTON, BOUNDARY),
    ("rb rt rp", INNERMOST, RUBY, RUBY, 0),
    ("rtc", INNERMOST, 0, RUBY, 0),
    ("applet marquee object template", 0, SCOPE, 0, 0),
    ("svg math", 0, FOREIGN, 0, 0),
)
# Columns of the table of elements.
NAME, KIND, CLASS, CLOSES, STOPS, END_STOPS = range(6)


def pack_name(name: str) -> int:
    """A lower-case name as a signed 64-bit number: its first eight bytes packed, the others mixed in."""
    letters = name.encode()
    packed = int.from_bytes(letters[:8], "big")
    for letter in letters[8:]:
        packed = (packed * 31 + letter) % 2**64
    return packed - 2**64 if packed >= 2**63 else packed


def element_table(more: Iterable[str] = ()) -> np.ndarray:
    """`ELEMENTS`, and `more` names without properties, as a hash table, int64, shape (slots + 1, 6): packed name, kind, class,
    closes, stops, and the classes that an end tag does not reach across. The last row is for all names that the table lacks.

    The slot of a name is its remainder modulo the number of slots, which is the smallest number that gives every name its own
    slot. `open_elements.row_of` finds it.
    """
    rows = {pack_name(name): (0, 0, 0, 0, SPECIAL) for name in more}
    for names, kind, own_class, closes, stops in ELEMENTS:
        for name in names.split():
            rows[pack_name(name)] = (kind, own_class, closes, stops, _stops_of_end_tag(kind, own_class))
    slots = len(rows)
    while len({name % slots for name in rows}) < len(rows):
        slots += 1
    table = np.zeros((slots + 1, 6), dtype=np.int64)
    table[slots, END_STOPS] = SPECIAL
    for packed, properties in rows.items():
        table[packed % slots] = [packed, *properties]
    return table


def _stops_of_end_tag(kind: int, own_class: int) -> int:
    if own_class & (NO_REOPENING & ~SCOPE):
        return TABLE
    if own_class & LI:
        return BOUNDARY | LIST
    if own_class & SPECIAL or kind & FORMATTING:
        return BOUNDARY
    return SPECIAL
