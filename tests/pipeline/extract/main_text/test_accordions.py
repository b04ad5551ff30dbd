"""Questions and answers that a click shows."""

import pytest

from pipeline.extract.main_text.accordions import complete_accordions
from pipeline.extract.main_text.blocks import read_page

PAIRS = "".join(f"<div class=card><h5>問い{number}</h5><div class=collapse>答え{number}</div></div>" for number in range(3))


@pytest.mark.parametrize("html", [f"<div class=accordion>{PAIRS}</div>", f"<div><div>{PAIRS}</div></div>"])
def test_the_last_answer_is_found_where_the_others_are(html: str) -> None:
    page = read_page(html)
    assert list(complete_accordions(page, [True, True, True, True, True, False])) == [True] * 6
    assert list(complete_accordions(page, [True, False, True, True, True, False]))[1::4] == [False, False]


def test_other_blocks_are_as_they_were_judged() -> None:
    page = read_page("<ul><li>甲<li>乙<li>丙</ul>")
    assert list(complete_accordions(page, [True, True, False])) == [True, True, False]
