"""Open elements of a page in plain Python: a list, the outermost first, and what closes an element of it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from pipeline.extract.html.elements import ELEMENTS, FOREIGN, FORMATTING, NO_REOPENING, SPECIAL, _stops_of_end_tag

# By name: kind, class, classes that the start tag closes, classes that stop it. Other elements have none of these.
_FACTS = {name: facts for names, *facts in ELEMENTS for name in names.split()}
_HTML_INSIDE = {"annotation-xml", "desc", "foreignobject", "mi", "mn", "mo", "ms", "mtext"}


@dataclass(eq=False)
class Element:
    """An element; `is_left_out` if it gives no text and is not inside another one that gives none."""

    name: str
    words: int = 0
    is_left_out: bool = False
    is_link: bool = False
    is_code: bool = False
    is_inline: bool = False
    is_tex: bool = False
    is_accordion: bool = False
    number: int = -1  # among the elements of the page, -1 while no block in it is complete

    @property
    def kind(self) -> int:
        return _FACTS.get(self.name, (0, 0, 0, 0))[0]

    @property
    def own_class(self) -> int:
        return _FACTS.get(self.name, (0, 0, 0, 0))[1]

    @property
    def closes(self) -> int:
        return _FACTS.get(self.name, (0, 0, 0, 0))[2]

    @property
    def stops(self) -> int:
        return _FACTS.get(self.name, (0, 0, 0, 0))[3]

    @property
    def end_stops(self) -> int:
        return _stops_of_end_tag(self.kind, self.own_class) if self.name in _FACTS else SPECIAL


def reached(open_elements: list[Element], stops: int, first: int = 2) -> list[int]:
    """Places that a search from the innermost element outwards looks at, up to `first` or an element of the classes `stops`."""
    places: list[int] = []
    for place in reversed(range(first, len(open_elements))):
        places.append(place)
        if open_elements[place].own_class & stops:
            break
    return places


def outermost(open_elements: list[Element], closes: int, stops: int, first: int = 2) -> int:
    """The outermost element of the classes `closes`, -1 for none."""
    found = [place for place in reached(open_elements, stops, first) if open_elements[place].own_class & closes]
    return min(found, default=-1)


def innermost(open_elements: list[Element], name: str, stops: int, first: int = 2) -> int:
    """The innermost element of that name, -1 for none."""
    return max((place for place in reached(open_elements, stops, first) if open_elements[place].name == name), default=-1)


def outer_foreign(open_elements: list[Element]) -> int:
    """The outermost `svg` or `math` inside the innermost element of it in which HTML goes on, -1 for none."""
    inside = max((place for place, element in enumerate(open_elements) if element.name in _HTML_INSIDE), default=1)
    foreign = (place for place in range(max(inside, 1) + 1, len(open_elements)) if open_elements[place].own_class & FOREIGN)
    return min(foreign, default=-1)


def shown(open_elements: list[Element]) -> int:
    """How many of the elements show text: those around the one that is left out."""
    return next((place for place, element in enumerate(open_elements) if element.is_left_out), len(open_elements))


def close(open_elements: list[Element], place: int) -> list[Element]:
    """What stays open when the element at `place` closes.

    A formatting element that shows text closes alone. Any other closes what is inside, but links begin anew, unless a cell, table
    or the like ends them.
    """
    element, inside = open_elements[place], open_elements[place + 1 :]
    if element.kind & FORMATTING and place < shown(open_elements):
        return open_elements[:place] + inside
    links = [] if element.own_class & NO_REOPENING else [dataclasses.replace(one, number=-1) for one in inside if one.is_link]
    return open_elements[:place] + links
