"""Turns a row of a table, which is an object of JSON lines or a row of Parquet, into a `Record`.

The manifest's section `fields` says where text, URL, id, date and title are. All other fields become the record's metadata: one
JSON object, with the names and the nesting that they came with. Equal rows give equal records, whatever format they come in.
"""

import base64
import datetime
import decimal
import itertools
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pipeline.inputs.config import FieldsConfig
from pipeline.inputs.record import InputError, Record

# What `value_at` returns where there is nothing; None is a value.
MISSING = object()
_NO_TEXT = "no text at "
# Dates that are numbers from the first of these on are seconds since 1970, from the second on milliseconds, which pandas writes;
# smaller ones are years, or days such as 20240131. As seconds, the first is in 1973 and the second in the year 5138.
_SECONDS_FROM, _MILLISECONDS_FROM = 10**8, 10**11
# Python's parser of JSON ends near a thousand levels, counted from wherever it is called; real records have a dozen.
_MOST_NESTED = 200


def record_of_row(row: Mapping[str, Any], fields: FieldsConfig, offset: int, length: int) -> Record:
    """The record that a row holds.

    offset, length: its place in the input, as in `Record`. A row whose text is missing, null or not a string, or whose fields
    cannot be written as JSON, gives a record with the problem `corrupt_record`.
    """
    path, text = next(((path, value) for path in fields.text if (value := value_at(row, path)) is not MISSING), ("", MISSING))
    places = {name: _place(row, getattr(fields, name)) for name in ("url", "id", "date", "title")}
    url, record_id, date, title = (_string(value_at(row, place)) if place else "" for place in places.values())
    if places["date"]:
        date = _date(value_at(row, places["date"]))
    problem = _problem_of_text(row, fields, path, text)
    metadata = "{}"
    try:
        rest = {name: value for name, value in row.items() if name != path and name not in places.values()}
        metadata = canonical_json(_without(rest, path) if "." in path else rest)
    except (RecursionError, ValueError, TypeError) as error:
        problem = problem or f"its fields cannot be written as JSON: {error}"
    return Record(
        kind="text",
        offset=offset,
        length=length,
        url=url,
        date=date,
        record_id=record_id,
        title=title,
        text=text if isinstance(text, str) and not problem else "",
        metadata=metadata,
        problem="corrupt_record" if problem else "",
        detail=problem,
    )


def value_at(row: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path, or MISSING.

    A name that has the dots itself comes first. A string that holds a JSON object (`meta` in many Parquet files) is looked into.
    """
    if path in row:
        return row[path]
    name, dot, rest = path.partition(".")
    inside = row.get(name) if dot else None
    if isinstance(inside, str) and inside.startswith("{"):
        try:
            inside = json.loads(inside)
        except (ValueError, RecursionError):
            return MISSING
    return value_at(inside, rest) if isinstance(inside, Mapping) else MISSING


def check_columns(uri: str, names: Sequence[str], fields: FieldsConfig) -> None:
    """Raise InputError if a table with the columns `names` cannot have a text, or a field that the manifest names."""
    asked = {"text", *fields.model_fields_set}
    for name in FieldsConfig.model_fields:
        paths: Sequence[str] = getattr(fields, name)
        if name in asked and not any(path in names or path.partition(".")[0] in names for path in paths):
            raise InputError(
                f"{uri} has no column {_either(paths)}; it has {', '.join(names)}; "
                f"name the one that holds the {name}, with --set fields.{name}=COLUMN"
            )


def require_texts(records: Iterable[Record], uri: str) -> Iterator[Record]:
    """Yield `records`. Raises InputError at their end if all of them lack the field of the text, so that its name is wrong."""
    reason = ""
    has_others = False
    for record in records:
        if record.detail.startswith(_NO_TEXT):
            reason = reason or record.detail
        else:
            has_others = True
        yield record
    if reason and not has_others:
        raise InputError(f"{uri}: no record has a text: {reason}")


def canonical_json(value: Any) -> str:
    """`value` as JSON that is the same for equal values: sorted keys, no spaces, null for a number that is not finite.

    Times are ISO 8601 in UTC, bytes base64. Raises RecursionError or ValueError for a value that is nested too deeply, and
    ValueError or TypeError for one that JSON cannot hold.
    """
    try:
        text = _dumps(value)
    except ValueError:
        text = _dumps(_finite(value))
    if _depth(text) > _MOST_NESTED:
        raise ValueError(f"they are nested deeper than {_MOST_NESTED} levels")
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _problem_of_text(row: Mapping[str, Any], fields: FieldsConfig, path: str, text: Any) -> str:
    if text is MISSING:
        strings = {name: value for name, value in row.items() if isinstance(value, str)}
        longest = max(strings, key=lambda name: (len(strings[name]), name), default="FIELD")
        return (
            f"{_NO_TEXT}{_either(fields.text)}; the record has {', '.join(row) or 'no fields'}; "
            f"name the field that holds the text, such as --set fields.text={longest}"
        )
    if text is None:
        return f"{path} is null"
    return "" if isinstance(text, str) else f"{path} is not a string: {str(text)[:50]}"


def _either(paths: Sequence[str]) -> str:
    return " or ".join(repr(path) for path in paths)


def _place(row: Mapping[str, Any], paths: Sequence[str]) -> str:
    """The first of `paths` at which the row has something; "" if there is none."""
    return next((path for path in paths if value_at(row, path) not in (MISSING, None, "")), "")


def _string(value: Any) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)  # pandas turns whole numbers into floats if any is missing
    if isinstance(value, float) and math.isnan(value):
        return ""
    plain = value if isinstance(value, str | int | float | bool | list | Mapping) else _plain(value)
    return plain if isinstance(plain, str) else canonical_json(plain)


def _date(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool) and _SECONDS_FROM <= value < _MILLISECONDS_FROM * 1000:
        seconds = value / 1000 if value >= _MILLISECONDS_FROM else value
        return str(_plain(datetime.datetime.fromtimestamp(seconds, datetime.UTC)))
    return _string(value)


def _without(row: Mapping[str, Any], path: str) -> dict[str, Any]:
    """`row` without the nested value at a dotted path."""
    name, _, rest = path.partition(".")
    inside = row.get(name)
    if not rest:
        return {key: value for key, value in row.items() if key != name}
    return {**row, name: _without(inside, rest)} if isinstance(inside, Mapping) else dict(row)


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> Any:
    """A value that Parquet has and JSON has not, as one that JSON has."""
    if isinstance(value, datetime.datetime):
        # A time without a zone is taken as UTC, as Parquet's writers mean it.
        utc = value if value.tzinfo is None else value.astimezone(datetime.UTC)
        return utc.replace(tzinfo=None).isoformat() + "Z"
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, decimal.Decimal):
        return float(value) if value.is_finite() else None
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return str(value)


def _depth(text: str) -> int:
    """How deep the objects and lists of a JSON text are nested."""
    if text.count("[") + text.count("{") <= _MOST_NESTED:
        return 0
    signs = (1 if sign in "[{" else -1 for sign in re.findall(r'"[^"\\]*(?:\\.[^"\\]*)*"|[][{}]', text) if sign[0] != '"')
    return max(itertools.accumulate(signs))


def _finite(value: Any) -> Any:
    """`value` with None for each number that is not finite."""
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
