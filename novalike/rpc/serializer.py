"""Typed values to JSON and back, driven by type hints.

    dump(Instance, instance)            -> {"id": 7, "uuid": "...", ...}
    load(tuple[Vif, ...], [{...}])      -> (Vif(...),)

The wire and the JSON documents in the database use the same form. It knows frozen dataclasses (nested and forward
references too), `X | None`, list, tuple, set, dict with text, number or enum keys, text, numbers, booleans, enums, datetime
(naive UTC) and Secret (its text is revealed here and nowhere else). `Any` and `object` pass as they are: they must hold JSON.

What makes old and new code understand each other: keys which this code does not know are ignored, missing ones take the
field's default, and an enum value which this code does not know is kept as plain text or number. A field whose default is
nothing (None, False, 0, "", an empty collection) is left out while it has that value; any other default is written, so that
changing it later does not change what was said before.

Converters are made once per type and kept.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import threading
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import Any

from novalike.objects.secret import Secret

Convert = Callable[[Any], Any]
_MISSING = object()
_CAN_BE_NOTHING = frozenset({type(None), bool, int, float, str, tuple, list, dict, set, frozenset})
#: Types whose values are JSON already.
_PLAIN = (str, int, float, bool, type(None), Any, object)


class WireError(ValueError):
    """A document does not fit its type: a field is missing or of the wrong shape. The text names type and field."""


@dataclasses.dataclass(frozen=True, slots=True)
class Converter:
    """Both directions for one type; None means that the value passes as it is."""

    dump: Convert | None
    load: Convert | None


_AS_IT_IS = Converter(None, None)
_converters: dict[Any, Converter] = {}
#: Being made now, by the holder of the lock. Published together, as a class's fields may lead back to the class itself.
_making: dict[Any, Converter] = {}
_lock = threading.RLock()


def dump(type_: Any, value: Any) -> Any:
    """Answer `value`, which is of type `type_`, as what json and orjson render. Raises TypeError for types not listed above."""
    convert = converter(type_).dump
    return value if convert is None else convert(value)


def load(type_: Any, document: Any) -> Any:
    """Answer the value of `type_` which `dump` made `document` of. Raises WireError when it does not fit."""
    convert = converter(type_).load
    return document if convert is None else convert(document)


def converter(type_: Any) -> Converter:
    """Answer the converter of a type, made at the first call. Raises TypeError for types which have no JSON form."""
    known = _converters.get(type_)
    if known is not None:
        return known
    with _lock:
        outermost = not _making
        try:
            known = _converters.get(type_) or _making.get(type_)
            if known is None:
                known = _making[type_] = _make(type_)
            if outermost:
                _converters.update(_making)
        finally:
            if outermost:
                _making.clear()
    return known


def _make(type_: Any) -> Converter:
    if type_ in _PLAIN:
        return _AS_IT_IS
    origin, arguments = typing.get_origin(type_), typing.get_args(type_)
    if origin is typing.Literal:
        return _AS_IT_IS
    if origin in (typing.Union, types.UnionType):
        return _union(type_, arguments)
    kind = origin or type_
    if isinstance(kind, type):
        if dataclasses.is_dataclass(kind):
            return _dataclass(kind)
        if issubclass(kind, enum.Enum):
            return _enum(kind)
        if issubclass(kind, Secret):
            return Converter(kind.reveal, _secret)
        if issubclass(kind, datetime):
            return Converter(_dump_time, _load_time)
        if issubclass(kind, tuple) and arguments and arguments[-1] is not Ellipsis:
            return _fixed_tuple(type_, arguments)
        if kind in (list, tuple, set, frozenset, Sequence, AbstractSet):
            return _collection(kind, arguments[0] if arguments else Any)
        if kind in (dict, Mapping):
            return _mapping(*(arguments or (str, Any)))
    raise TypeError(f"{type_!r} has no JSON form; see novalike/rpc/serializer.py")


def _union(type_: Any, arguments: tuple[Any, ...]) -> Converter:
    """`X | None`, or alternatives which JSON tells apart by itself."""
    others = [argument for argument in arguments if argument is not type(None)]
    if all(converter(other) is _AS_IT_IS for other in others):
        return _AS_IT_IS
    if len(others) != 1 or len(others) == len(arguments):
        raise TypeError(f"{type_!r} cannot be told apart in JSON; only `X | None` and unions of plain values can")
    inner = converter(others[0])
    dump_inner, load_inner = inner.dump, inner.load
    return Converter(
        None if dump_inner is None else lambda value: None if value is None else dump_inner(value),
        None if load_inner is None else lambda document: None if document is None else load_inner(document),
    )


def _enum(kind: type[enum.Enum]) -> Converter:
    if not issubclass(kind, (str, int)):
        raise TypeError(f"{kind.__name__} must be a StrEnum or an IntEnum to travel")
    members = {member.value: member for member in kind}
    # A newer sender's value stays the plain text or number it is, which a str or int enum's users can compare and show.
    return Converter(lambda value: getattr(value, "value", value), lambda document: members.get(document, document))


def _secret(document: Any) -> Secret:
    if not isinstance(document, str):
        raise WireError("A secret must be text.")
    return Secret(document)


def _dump_time(value: datetime) -> str:
    return (value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)).isoformat()


def _load_time(document: Any) -> datetime:
    try:
        value = datetime.fromisoformat(document)
    except (TypeError, ValueError):
        raise WireError(f"{document!r} is not an ISO 8601 time.") from None
    return value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)


def _collection(kind: Any, element: Any) -> Converter:
    inner = converter(element)
    dump_one, load_one = inner.dump, inner.load
    build: Callable[[Any], Any] = tuple if kind in (tuple, Sequence) else frozenset if kind is AbstractSet else kind

    def load_all(document: Any) -> Any:
        if not isinstance(document, (list, tuple)):
            raise WireError(f"A list of {_name(element)} is wanted, not {type(document).__name__}.")
        return build(document if load_one is None else [load_one(item) for item in document])

    return Converter(list if dump_one is None else lambda value: [dump_one(item) for item in value], load_all)


def _fixed_tuple(type_: Any, elements: tuple[Any, ...]) -> Converter:
    each = [converter(element) for element in elements]
    dumps, loads = [one.dump for one in each], [one.load for one in each]

    def dump_all(value: Any) -> list[Any]:
        return [item if convert is None else convert(item) for convert, item in zip(dumps, value, strict=True)]

    def load_all(document: Any) -> tuple[Any, ...]:
        if not isinstance(document, (list, tuple)) or len(document) != len(loads):
            raise WireError(f"{type_!r} wants a list of {len(loads)}.")
        return tuple(item if convert is None else convert(item) for convert, item in zip(loads, document, strict=True))

    plain = all(convert is None for convert in dumps)
    return Converter(list if plain else dump_all, load_all)


def _mapping(key: Any, element: Any) -> Converter:
    load_key: Convert | None = None
    if key not in (str, Any, object):                        # JSON's keys are text
        if key is not int and not (isinstance(key, type) and issubclass(key, (enum.StrEnum, enum.IntEnum))):
            raise TypeError(f"Keys of type {key!r} have no JSON form")
        is_number = issubclass(key, int)
        inner_key = converter(key).load

        def load_key(text: Any) -> Any:
            plain = int(text) if is_number else text
            return plain if inner_key is None else inner_key(plain)
    inner = converter(element)
    dump_one, load_one = inner.dump, inner.load

    def dump_all(value: Any) -> dict[str, Any]:
        if load_key is None:
            return dict(value) if dump_one is None else {name: dump_one(item) for name, item in value.items()}
        return {
            str(getattr(name, "value", name)): item if dump_one is None else dump_one(item) for name, item in value.items()
        }

    def load_all(document: Any) -> dict[Any, Any]:
        if not isinstance(document, dict):
            raise WireError(f"An object of {_name(element)} is wanted, not {type(document).__name__}.")
        if load_key is None and load_one is None:
            return document
        return {
            name if load_key is None else load_key(name): item if load_one is None else load_one(item)
            for name, item in document.items()
        }

    return Converter(dump_all, load_all)


def _dataclass(kind: Any) -> Converter:
    dumps: list[tuple[str, Convert | None, Any]] = []
    loads: dict[str, Convert | None] = {}

    def dump_fields(value: Any) -> dict[str, Any]:
        document = {}
        for name, convert, nothing in dumps:
            item = getattr(value, name)
            if item is nothing or (not item and item == nothing):
                continue
            document[name] = item if convert is None else convert(item)
        return document

    def load_fields(document: Any) -> Any:
        if not isinstance(document, dict):
            raise WireError(f"{kind.__name__} wants an object, not {type(document).__name__}.")
        arguments = {}
        for name, item in document.items():
            convert = loads.get(name, _MISSING)
            if convert is None:
                arguments[name] = item
            elif convert is not _MISSING:
                arguments[name] = convert(item)  # type: ignore[operator]  # not _MISSING: a converter
        try:
            return kind(**arguments)
        except TypeError:
            missing = [field.name for field in dataclasses.fields(kind) if field.init and _required(field)
                       and field.name not in arguments]
            if not missing:
                raise
            raise WireError(f"{kind.__name__} lacks {', '.join(missing)}.") from None

    # Known before its fields are looked at, so that a class may hold itself; filled below.
    made = _making[kind] = Converter(dump_fields, load_fields)
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        if field.init:
            inner = converter(hints[field.name])
            dumps.append((field.name, inner.dump, _nothing(field)))
            loads[field.name] = inner.load
    return made


def _required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _nothing(field: dataclasses.Field[Any]) -> Any:
    """Answer the field's default if that is nothing at all, and so needs no words on the wire; else a value nothing equals."""
    if field.default is not dataclasses.MISSING:
        return _silent(field.default)
    if field.default_factory in (dict, list, tuple, set, frozenset):
        return field.default_factory()  # type: ignore[misc]  # one of those, hence not MISSING
    return _MISSING


def _silent(default: Any) -> Any:
    return default if type(default) in _CAN_BE_NOTHING and not default else _MISSING


def _name(type_: Any) -> str:
    return getattr(type_, "__name__", None) or str(type_)


class Signature:
    """The arguments (all named) and the answer of one remote method."""

    def __init__(self, function: Callable[..., Any]) -> None:
        hints = typing.get_type_hints(function)
        self._name = function.__qualname__
        self._arguments: dict[str, tuple[Converter, Any]] = {}
        self._required: set[str] = set()
        for parameter in inspect.signature(function).parameters.values():
            if parameter.name in ("self", "ctxt"):
                continue
            if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
                raise TypeError(f"{self._name}: {parameter.name} must be a keyword-only argument")
            if parameter.default is inspect.Parameter.empty:
                self._required.add(parameter.name)
            nothing = _MISSING if parameter.name in self._required else _silent(parameter.default)
            self._arguments[parameter.name] = (converter(hints[parameter.name]), nothing)
        self._answer = converter(hints.get("return", type(None)))

    def dump(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Answer the arguments as JSON. Raises TypeError for a missing or an unknown one, as a call would."""
        lacking, unknown = self._required - arguments.keys(), arguments.keys() - self._arguments.keys()
        if lacking or unknown:
            raise TypeError(f"{self._name}: missing {sorted(lacking)}, unknown {sorted(unknown)}")
        document = {}
        for name, value in arguments.items():
            convert, nothing = self._arguments[name]
            if value is nothing or (not value and value == nothing):
                continue
            document[name] = value if convert.dump is None else convert.dump(value)
        return document

    def load(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Answer the arguments as values; those this code does not know are dropped. Raises WireError when one is missing."""
        lacking = self._required - document.keys()
        if lacking:
            raise WireError(f"{self._name}: missing {sorted(lacking)}")
        arguments = {}
        for name, item in document.items():
            known = self._arguments.get(name)
            if known is not None:
                arguments[name] = item if known[0].load is None else known[0].load(item)
        return arguments

    def dump_answer(self, answer: Any) -> Any:
        """Answer what the method returned as JSON."""
        return answer if self._answer.dump is None else self._answer.dump(answer)

    def load_answer(self, document: Any) -> Any:
        """Answer what the method returned, from JSON."""
        return document if self._answer.load is None else self._answer.load(document)


_signatures: dict[Callable[..., Any], Signature] = {}


def signature(function: Callable[..., Any]) -> Signature:
    """Answer the signature of an interface's method, made once."""
    known = _signatures.get(function)
    if known is None:
        known = _signatures[function] = Signature(function)
    return known
