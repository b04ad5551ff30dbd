"""The two files of a ledger: the one that a run writes, and the one that everybody reads.

DuckDB lets no other process open a file that one process writes. So a run writes `.ledger.duckdb`, which only it opens, and
publishes copies of it as `manifest.duckdb`. A copy replaces the one before in one step, so it can be read at any time, and a
reader that still has the earlier copy open stops nobody. At its end the run renames its own file to `manifest.duckdb`. If both
are there, a run was killed, and its own file is the newer one.
"""

import shutil
from pathlib import Path

import duckdb

from pipeline.files import replacing, sync

PUBLISHED = "manifest.duckdb"
WORKING = ".ledger.duckdb"
# The oldest of DuckDB's storage formats, which every DuckDB since 1.0 reads. By default DuckDB 2 writes one that 1.5 cannot open.
STORAGE_VERSION = "v1.0.0"


def prepare_working_file(root: Path) -> bool:
    """Copy the published ledger for the run that will write it, unless a killed run left its file. Returns whether it was copied.

    Raises OSError.
    """
    working, published = root / WORKING, root / PUBLISHED
    if working.exists() or not published.exists():
        return False
    with replacing(working) as temporary:
        shutil.copyfile(published, temporary)
    return True


def rewrite_in_old_storage(path: Path, create: str) -> None:
    """Write the ledger in `path` anew in STORAGE_VERSION, if it is in another; `create` makes its tables. Raises duckdb.Error.

    Only a ledger by an earlier version of the program needs it.
    """
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH {quoted(path)} AS before (READ_ONLY)")
        query = "SELECT tags['storage_version'] FROM duckdb_databases() WHERE database_name = 'before'"
        version = connection.execute(query).fetchall()[0][0]
        if version is None or version.startswith(STORAGE_VERSION):  # DuckDB before 1.2 names none
            return
        with replacing(path) as temporary:
            connection.execute(f"ATTACH {quoted(temporary)} AS after (STORAGE_VERSION '{STORAGE_VERSION}'); USE after")
            connection.execute(create)
            names = "SELECT table_name, database_name FROM duckdb_tables() WHERE database_name IN ('before', 'after')"
            tables = connection.execute(names).fetchall()
            for table in sorted(name for name, database in tables if (name, "before") in tables and database == "after"):
                connection.execute(f"INSERT INTO after.{table} BY NAME SELECT * FROM before.{table}")
            connection.execute("USE memory; DETACH after; DETACH before")


def publish(connection: duckdb.DuckDBPyConnection, root: Path) -> None:
    """Make the present content of the working file, which `connection` writes, the one that is read. Raises OSError."""
    connection.execute("CHECKPOINT")
    with replacing(root / PUBLISHED) as temporary:
        shutil.copyfile(root / WORKING, temporary)


def hand_over(root: Path) -> None:
    """Make the working file, which is closed, the one that is read. Raises OSError."""
    if (root / WORKING).exists():
        (root / WORKING).replace(root / PUBLISHED)
        sync(root)


def quoted(path: Path) -> str:
    """A path as a string of SQL."""
    return "'" + str(path).replace("'", "''") + "'"
