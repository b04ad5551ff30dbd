"""The settings of `pii`: the policy, the kinds that are looked for, and the rule that drops documents."""

from typing import Literal, get_args

from pydantic import Field

from pipeline.config import Config
from pipeline.rules import Rule

KindName = Literal["email", "card", "my_number", "bank_account", "phone", "postal_code", "postal_address", "ip_address"]
KIND_NAMES: tuple[KindName, ...] = get_args(KindName)


class PiiConfig(Config):
    """The `pii` section of the manifest."""

    policy: Literal["mask", "mask_personal_only", "drop_document"] = Field(
        default="mask", description="mask all, leave public contact data of firms and offices, or drop a document with any match"
    )
    kinds: tuple[KindName, ...] = Field(default=KIND_NAMES, description="what is looked for")


RULES: tuple[Rule, ...] = (Rule("personal_data", maximum=0, column="n_edits", source="policy drop_document of the manifest"),)


def rules_of(config: PiiConfig) -> tuple[Rule, ...]:
    """The rules that judge a document; `n_edits` is the number of matches. Only the policy `drop_document` has one."""
    return RULES if config.policy == "drop_document" else ()
