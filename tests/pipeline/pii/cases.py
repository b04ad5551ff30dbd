"""The labelled strings of `cases.tsv`: personal data, and near-misses without any."""

from pathlib import Path


def _read_cases() -> list[tuple[str, list[tuple[str, str]]]]:
    r"""(text, [(kind, what is masked)]) of each row; \n, \t and \u200b are escapes of the characters."""
    rows = (Path(__file__).parent / "cases.tsv").read_text(encoding="utf-8").splitlines()[1:]
    cases = []
    for row in rows:
        text, expected = row.split("\t")
        for written, character in (("\\n", "\n"), ("\\t", "\t"), ("\\u200b", "\u200b")):
            text, expected = text.replace(written, character), expected.replace(written, character)
        labels = [] if expected == "-" else [_label(label) for label in expected.split(" ; ")]
        cases.append((text, labels))
    return cases


def _label(written: str) -> tuple[str, str]:
    kind, value = written.split("=", 1)
    return kind, value


CASES = _read_cases()
