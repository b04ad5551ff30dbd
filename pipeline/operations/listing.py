"""Finds the inputs of a manifest, and remembers in the ledger what servers said of them.

A file on a server is asked for once per corpus: later runs and `status` need no network until they read it. `run --refresh` asks
again.
"""

import datetime
import json
from dataclasses import replace

from pipeline.corpus.ledger import Ledger
from pipeline.engine.runner import Listener
from pipeline.inputs.listing import Listing, RemoteFile
from pipeline.inputs.record import Source
from pipeline.inputs.sources import resolve_inputs
from pipeline.manifest import Manifest


def find_inputs(manifest: Manifest, listener: Listener, listing: Listing) -> list[Source]:
    """The sources that a manifest names; files on servers are looked up as a stage `inputs` of the run, and added to `listing`.

    Raises InputError.
    """

    def looked_up(done: int, total: int) -> None:
        if done:
            listener.unit("inputs", f"{done} of {total}", 0, 0.0)
        else:
            listener.stage("inputs", total, total)

    return resolve_inputs(manifest.input, manifest.paths_prefix, manifest.paths_limit, listing, looked_up)


def find_inputs_again(manifest: Manifest, listener: Listener, ledger: Ledger, *, refresh: bool) -> list[Source]:
    """The same for a corpus that exists, with what its ledger knows; what is asked is recorded, even if not all could be.

    refresh: whether what the ledger knows is asked for again. Raises InputError.
    """
    listing = Listing() if refresh else read_listing(ledger)
    known = replace(listing, names=dict(listing.names), files=dict(listing.files))
    try:
        return find_inputs(manifest, listener, listing)
    finally:
        if listing != known:
            write_listing(ledger, listing)


def known_inputs(manifest: Manifest, ledger: Ledger) -> list[Source]:
    """The sources that a manifest names, by what the ledger knows; only for what it does not know a server is asked."""
    listing = replace(read_listing(ledger), asks_patterns=False)
    return resolve_inputs(manifest.input, manifest.paths_prefix, manifest.paths_limit, listing)


def read_listing(ledger: Ledger) -> Listing:
    """What the ledger knows of remote inputs; nothing if it was written before it recorded them."""
    if not ledger.rows("SELECT 1 FROM duckdb_tables() WHERE table_name = 'remote_names'"):
        return Listing()
    files = ledger.rows("SELECT uri, size, version, row_groups FROM remote_files")
    names = ledger.rows("SELECT pattern, names_limit, names FROM remote_names")
    return Listing(
        names={(pattern, limit): json.loads(found) for pattern, limit, found in names},
        files={uri: RemoteFile(uri, size, version, row_groups=groups) for uri, size, version, groups in files},
    )


def write_listing(ledger: Ledger, listing: Listing) -> None:
    """Make `listing` what the ledger knows of remote inputs."""
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    files = [(each.uri, each.size, each.version, each.row_groups, now) for each in listing.files.values()]
    names = [(*key, json.dumps(found, ensure_ascii=False), now) for key, found in listing.names.items()]
    ledger.replace_rows("remote_files", files)
    ledger.replace_rows("remote_names", names)
