"""The model card of an export, README.md: what the checkpoint records of the model, its tokenizer and its training.

The last line holds a hash of the lines above it. It tells a card as it was written from one that a person has edited.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from model.config import ModelConfig

CARD_FILE = "README.md"
# Names of a checkpoint's files, repeated here because this package does not import the trainer; tests compare both sides.
TRAINING_FILE = "training.json"
CHECKPOINT_FILE = "checkpoint.json"

_MARK = re.compile(r"<!-- written by model\.export, sha256 ([0-9a-f]{64}) -->\n\Z")


def write_card(path: Path, source: Path, architecture: str, config: ModelConfig, parameters: int) -> None:
    """Write the card of the checkpoint `source`, exported as `architecture`, to `path`. Raises OSError if the disk is full.

    What a checkpoint does not record, as one from elsewhere, is left out.
    """
    training, checkpoint = _recorded(source / TRAINING_FILE), _recorded(source / CHECKPOINT_FILE)
    progress, configuration = training.get("progress") or {}, training.get("configuration") or {}
    rows = {
        "Class": f"`{architecture}`, {parameters:,} parameters",
        "Context": f"{config.context_length:,} tokens",
        "Vocabulary": f"{config.vocabulary_size:,} ids",
        "Tokenizer (SHA-256)": _code(training.get("tokenizer_sha256")),
        "Training data (fingerprint of each token dataset)": ", ".join(map(_code, training.get("fingerprints") or [])),
        "Started from": _code(Path(configuration.get("start_from") or "").name),
        "Steps": _number(progress.get("step", checkpoint.get("step"))),
        "Tokens trained on": _number(progress.get("tokens")),
        "Validation loss (bits per byte)": _figure(checkpoint.get("validation")),
        "Best validation loss (bits per byte)": _figure(progress.get("best")),
        "Seed": _number(configuration.get("seed")),
        "torch": (training.get("versions") or {}).get("torch", ""),
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items() if value)
    text = f"""---
library_name: transformers
pipeline_tag: text-generation
---
# {Path(configuration.get("output") or "Language model").name}

A language model that continues text. It was not trained to follow instructions and has no chat template.

| | |
|---|---|
{table}

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("FOLDER")
model = AutoModelForCausalLM.from_pretrained("FOLDER")
print(tokenizer.decode(model.generate(**tokenizer("TEXT", return_tensors="pt"), max_new_tokens=50)[0]))
```

In training, the end-of-text token comes before each document. It is the padding token too; the attention mask tells them apart.

## Licence

Not stated. Whoever publishes the model chooses one, with regard to the texts that it was trained on.

"""
    path.write_text(f"{text}<!-- written by model.export, sha256 {_hash(text)} -->\n", encoding="utf-8")


def is_edited(path: Path) -> bool:
    """Return whether `path` is anything but a card as `write_card` wrote it."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return True
    mark = _MARK.search(text)
    return mark is None or mark[1] != _hash(text[: mark.start()])


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _recorded(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _code(value: Any) -> str:
    return f"`{value}`" if value else ""


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else ""


def _figure(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else ""
