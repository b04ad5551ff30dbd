import pytest

from pipeline.inputs.network import patience


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits and time-outs as short as this machine allows."""
    monkeypatch.setattr(patience, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(patience, "LONGEST_WAIT", 0.001)
    monkeypatch.setattr(patience, "STALL_SECONDS", 0.3)
