"""All that daemons may say to each other, as text: every interface with its methods, and every object which they carry.

    python -m tests.laws.wire > tests/laws/wire.txt
"""

from __future__ import annotations

import dataclasses
import enum
import importlib
import inspect
import pkgutil
import sys
import types
import typing
from collections.abc import Iterator

from novalike import rpc
from novalike.context import RequestContext
from novalike.rpc.engine import Interface, methods


def interfaces() -> list[type[Interface]]:
    for module in pkgutil.iter_modules(rpc.__path__):
        importlib.import_module(f"{rpc.__name__}.{module.name}")
    ours = [cls for cls in Interface.__subclasses__() if cls.__module__.startswith(rpc.__name__)]
    return sorted(ours, key=lambda cls: (cls.topic, cls.__name__))


def describe() -> str:
    """Answer the text."""
    lines: list[str] = []
    carried: set[type] = {RequestContext}
    for interface in interfaces():
        lines.append(f"{interface.topic}: {interface.__name__} {interface.version}")
        for name, method in methods(interface).items():
            function = getattr(interface, name)
            hints = typing.get_type_hints(function)
            carried.update(hint for name, hint in hints.items() if name != "ctxt")
            arguments = ", ".join(
                parameter_text(parameter, hints[parameter.name])
                for parameter in inspect.signature(function).parameters.values() if parameter.name not in ("self", "ctxt")
            )
            how = f"call {method.timeout:g} s" if method.waits else "fanout" if method.fanout else "cast"
            lines.append(f"    since {method.since}  {how:<10}  {name}({arguments}) -> {text(hints['return'])}")
        lines.append("")
    for cls in sorted(reachable(carried), key=lambda cls: cls.__name__):
        lines.append(cls.__name__)
        if issubclass(cls, enum.Enum):
            lines.extend(f"    {member.value!r}" for member in cls)
        else:
            hints = typing.get_type_hints(cls)
            lines.extend(f"    {field_text(field, hints[field.name])}" for field in dataclasses.fields(cls))
        lines.append("")
    return "\n".join(lines)


def parameter_text(parameter: inspect.Parameter, hint: object) -> str:
    default = "" if parameter.default is inspect.Parameter.empty else f" = {parameter.default!r}"
    return f"{parameter.name}: {text(hint)}{default}"


def field_text(field: dataclasses.Field, hint: object) -> str:
    if field.default is not dataclasses.MISSING:
        return f"{field.name}: {text(hint)} = {field.default!r}"
    if field.default_factory is not dataclasses.MISSING:
        return f"{field.name}: {text(hint)} = {field.default_factory.__name__}()"
    return f"{field.name}: {text(hint)}"


def text(hint: object) -> str:
    if isinstance(hint, types.GenericAlias):
        inner = ", ".join("..." if argument is Ellipsis else text(argument) for argument in hint.__args__)
        return f"{hint.__origin__.__name__}[{inner}]"
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return " | ".join(text(argument) for argument in typing.get_args(hint))
    return "None" if hint is type(None) else getattr(hint, "__name__", str(hint))


def reachable(hints: set) -> set[type]:
    found: set[type] = set()
    todo = list(hints)
    while todo:
        for cls in classes(todo.pop()):
            if cls not in found:
                found.add(cls)
                if dataclasses.is_dataclass(cls):
                    todo.extend(typing.get_type_hints(cls).values())
    return found


def classes(hint: object) -> Iterator[type]:
    for argument in typing.get_args(hint):
        yield from classes(argument)
    if isinstance(hint, type) and (dataclasses.is_dataclass(hint) or issubclass(hint, enum.Enum)):
        yield hint


if __name__ == "__main__":
    sys.stdout.write(describe())
