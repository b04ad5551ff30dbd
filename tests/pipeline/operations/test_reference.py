"""The reference of the manifest's keys is that of the code."""

from pipeline.manifest import Manifest
from pipeline.measure.table import MEASURES
from pipeline.operations.reference import PAGE, reference


def test_the_page_is_what_the_config_classes_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), "run `python -m pipeline.operations.reference`"


def test_every_key_and_measure_has_a_row_with_a_meaning() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in reference().splitlines() if line.startswith("| `")
    ]
    named = {row[0].strip("`") for row in rows}
    for name, field in Manifest.model_fields.items():
        keys = getattr(field.annotation, "model_fields", {name: field})
        assert set(keys) <= named
    assert {measure.name for measure in MEASURES} <= named
    assert [row[0] for row in rows if not row[-1]] == []
