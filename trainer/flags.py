"""The flags of `trainer.pretrain`: one for each field of its configuration."""

from collections.abc import Callable
from typing import Any, Literal, get_args, get_origin

import click
from pydantic.fields import FieldInfo

from trainer.config import PretrainConfig, ScheduleConfig, ShardsConfig


def options(command: Callable[..., None]) -> Callable[..., None]:
    """Decorate `command` with one flag per field of `PretrainConfig`. Flags that are not given are None, or empty."""
    fields = [(name, field) for name, field in PretrainConfig.model_fields.items() if name != "schedule"]
    fields += [(f"schedule_{name}", field) for name, field in ScheduleConfig.model_fields.items()]
    for name, field in reversed(fields):
        command = _option(name, field)(command)
    return command


def _option(name: str, field: FieldInfo) -> Callable[[Callable[..., None]], Callable[..., None]]:
    flag = "--" + name.replace("_", "-")
    kind, many = _kind(field.annotation)
    text = field.description or ""
    if field.default is not None and field.default not in ((), ("",)) and not field.is_required():
        shown = " ".join(map(str, field.default)) if isinstance(field.default, tuple) else field.default
        text = f"{text} [default: {shown}]".strip()
    if kind is bool:
        return click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=text)
    metavar = {"shards": "DIR[:WEIGHT]", "output": "DIR"}.get(name)
    return click.option(flag, name, type=kind, multiple=many, default=None, help=text, metavar=metavar)


def _kind(annotation: Any) -> tuple[Any, bool]:
    """Return the type of a flag, and whether it may be repeated."""
    arguments = [argument for argument in get_args(annotation) if argument not in (type(None), Ellipsis)]
    if get_origin(annotation) is tuple:
        inner = arguments[0]
        return (str if inner is ShardsConfig else inner), True
    if get_origin(annotation) is Literal:
        return click.Choice(list(get_args(annotation))), False
    return _kind(arguments[0]) if arguments else (annotation, False)
