"""The base of every configuration class: frozen, typed, and deaf to unknown keys."""

from pydantic import BaseModel, ConfigDict


class Config(BaseModel):
    """A section of the manifest; its fields are the YAML keys.

    Unknown keys are errors (`manifest.read_manifest` turns them into one line that names the nearest known key), and an
    instance cannot be changed after validation, so its JSON can serve as the key of the work done under it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
