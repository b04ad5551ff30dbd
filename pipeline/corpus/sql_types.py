"""DuckDB's names for the types of Parquet columns."""

import pyarrow as pa

_TYPES = {
    pa.string(): "VARCHAR",
    pa.bool_(): "BOOLEAN",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.uint64(): "UBIGINT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
    pa.list_(pa.string()): "VARCHAR[]",
    pa.timestamp("ms", "UTC"): "TIMESTAMP WITH TIME ZONE",
}


def sql_columns(schema: pa.Schema) -> str:
    """The columns of `schema` as `"name" TYPE, …`. Raises KeyError for a type that no file of a corpus uses."""
    return ", ".join(f'"{field.name}" {_TYPES[field.type]}' for field in schema)
