"""documents/ and features/ → verdicts/hosts/ and host_counts.parquet: listed hosts, and statistics of hosts over survivors."""

import numpy as np
import pyarrow as pa

from pipeline.corpus import layout
from pipeline.corpus.columns import aligned, read, survivors
from pipeline.corpus.writer import TableWriter
from pipeline.engine.stage import Stage
from pipeline.engine.task import Mark, Result, Task, write_verdicts_by_part
from pipeline.hosts.config import HOST_COUNTS_SCHEMA, HostsConfig
from pipeline.hosts.lists import HostLists
from pipeline.hosts.stage import judge_hosts
from pipeline.rules import VERDICT_SCHEMA

_NUMBERS = ["doc_id", "num_letters", "num_ng_letters_not_allowed", "has_dating_expression"]


def judge_all_hosts(task: Task[HostsConfig], mark: Mark) -> Result:
    """Judge the hosts of all parts. Raises HostListError."""
    tables = []
    for part in task.parts:
        kept = survivors(task.folder, task.upstream.judge, part)
        numbers = aligned(read(task.folder, layout.features(part), _NUMBERS), pa.chunked_array([kept]))
        places = aligned(read(task.folder, layout.documents(part), ["doc_id", "host", "url"]), numbers["doc_id"])
        tables.append(numbers.append_column("host", places["host"]).append_column("url", places["url"]))
    pages = pa.concat_tables(tables)
    verdicts, host_counts = judge_hosts(
        doc_id=pages["doc_id"],
        host=pages["host"],
        url=pages["url"],
        n_chars=pages["num_letters"].to_numpy(),
        ng_characters=pages["num_ng_letters_not_allowed"].to_numpy(),
        is_dating_page=pages["has_dating_expression"].to_numpy(),
        lists=HostLists.load(task.settings),
        config=task.settings,
    )
    rows, counts = np.arange(verdicts.num_rows), [table.num_rows for table in tables]
    outputs, digests = write_verdicts_by_part(task, verdicts, rows, counts)
    with TableWriter(task.folder, layout.HOST_COUNTS, HOST_COUNTS_SCHEMA) as writer:
        writer.write(host_counts)
        outputs.append(writer.finish())
    return Result(verdicts.num_rows, tuple(outputs), digests)


STAGE = Stage(
    "hosts",
    "corpus",
    judge_all_hosts,
    reads=(layout.documents(), layout.features(), layout.survivors_name("{judge}")),
    writes={layout.verdicts("hosts"): VERDICT_SCHEMA, layout.HOST_COUNTS: HOST_COUNTS_SCHEMA},
    settings="hosts",
    outside=lambda root, config: HostLists.load(config).digest,
)
