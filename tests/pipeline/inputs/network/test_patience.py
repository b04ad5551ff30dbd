"""How long is waited before a request is repeated."""

import pytest

from pipeline.inputs.network import patience
from pipeline.inputs.network.patience import retry_after, wait_before


@pytest.fixture(autouse=True)
def real_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_WAIT", 0.5)
    monkeypatch.setattr(patience, "LONGEST_WAIT", 60.0)


def test_waits_double_up_to_a_minute_and_half_of_each_is_random() -> None:
    for failures, longest in [(1, 0.5), (2, 1), (3, 2), (7, 32), (8, 60), (50, 60)]:
        waits = {wait_before(failures, 0) for _ in range(50)}
        assert longest / 2 <= min(waits) < max(waits) <= longest


def test_what_a_server_asks_for_is_the_least() -> None:
    assert 20 <= wait_before(1, 20) <= 22
    assert wait_before(8, 1) >= 30


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": " 0 "}, 0),
        ({"Retry-After": "86400"}, 300),
        ({"Retry-After": "Sat, 28 Nov 2026 10:00:30 GMT", "Date": "Sat, 28 Nov 2026 10:00:00 GMT"}, 30),
        ({"Retry-After": "Sat, 28 Nov 2026 09:00:00 GMT", "Date": "Sat, 28 Nov 2026 10:00:00 GMT"}, 0),
        ({"Retry-After": "Sat, 28 Nov 2026 23:00:00 GMT", "Date": "Sat, 28 Nov 2026 10:00:00 GMT"}, 300),
        ({"Retry-After": "soon"}, 0),
        ({"Retry-After": "-5"}, 0),
        ({"Retry-After": "٣"}, 0),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_bounded(headers: dict[str, str], seconds: float) -> None:
    assert retry_after(headers) == seconds
