"""After the warm-up, no compiled code is left to load for the first page."""

import subprocess
import sys

from tests.conftest import SAMPLE

# In a process of its own, since other tests have loaded much here.
_PROGRAM = """
import sys
from pipeline.extract.stage import ExtractConfig, extract
from pipeline.inputs.formats import read_records
from pipeline.inputs.sources import resolve_inputs
from pipeline.extract.warm_up import make_ready

def loaded():
    functions = {
        f"{name}.{key}": len(value.signatures)
        for name, module in list(sys.modules.items()) if name.startswith("pipeline.")
        for key, value in vars(module).items() if hasattr(value, "signatures") and hasattr(value, "py_func")
    }
    return {name: count for name, count in functions.items() if count}

make_ready("auto")
before = loaded()
assert len(before) > 5, before
config = ExtractConfig()
for source in resolve_inputs([sys.argv[1]]):
    for _ in extract(read_records(source, config.max_page_bytes), source.uri, config, {}, lambda ordinal: None, 1000):
        pass
after = loaded()
assert after == before, {name: after[name] for name in after if after[name] != before.get(name)}
"""


def test_the_first_real_page_finds_all_compiled_code_loaded() -> None:
    subprocess.run([sys.executable, "-c", _PROGRAM, str(SAMPLE / "*.warc.gz")], check=True)
