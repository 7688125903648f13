"""What crosses the wire comes out equal, small, and understood by older and newer code."""

# ruff: noqa: DTZ001  naive UTC is what travels
from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from enum import Enum, IntEnum, StrEnum

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from novalike.context import RequestContext
from novalike.objects import (
    block_device,
    flavor,
    host,
    image,
    instance,
    instance_action,
    keypair,
    network_info,
    quota,
    request_spec,
    tasks,
)
from novalike.objects.secret import Secret
from novalike.objects.states import PowerState, VmState
from novalike.rpc import serializer
from novalike.rpc.serializer import WireError, dump, load

OBJECTS = [
    cls
    for module in (block_device, flavor, host, image, instance, instance_action, keypair, network_info, quota, request_spec, tasks)
    for cls in vars(module).values()
    if isinstance(cls, type) and cls.__module__ == module.__name__ and hasattr(cls, "__dataclass_fields__")
]


class Colour(StrEnum):
    RED = "red"


class Size(IntEnum):
    BIG = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    name: str
    left: Tree | None = None
    leaves: tuple[Tree, ...] = ()
    later: Later | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    colour: Colour = Colour.RED
    size: Size | None = None
    secret: Secret | None = None
    at: datetime | None = None
    pairs: tuple[tuple[str, int], ...] = ()
    sizes: dict[Size, list[Colour]] = field(default_factory=dict)
    anything: dict[str, object] = field(default_factory=dict)
    ratio: float = 0.0
    count: int = 1


def through_json(type_, value):
    return load(type_, orjson.loads(orjson.dumps(dump(type_, value))))


st.register_type_strategy(Secret, st.text().map(Secret))
st.register_type_strategy(object, st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.lists(st.text()))
st.register_type_strategy(datetime, st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)))
st.register_type_strategy(int, st.integers(-(2**63), 2**63 - 1))  # what orjson renders
st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
st.register_type_strategy(str, st.text(max_size=20))


@pytest.mark.parametrize("cls", [*OBJECTS, RequestContext, Tree, Later], ids=lambda cls: cls.__name__)
def test_every_object_survives_the_wire(cls):
    @settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.from_type(cls))
    def survives(value):
        assert through_json(cls, value) == value
        assert load(cls, json.loads(json.dumps(dump(cls, value)))) == value

    survives()


@pytest.mark.parametrize(("type_", "value", "document"), [
    (int, 3, 3),
    (str | None, None, None),
    (int | str, "x", "x"),
    (list[int], [1, 2], [1, 2]),
    (tuple[str, ...], ("a", "b"), ["a", "b"]),
    (tuple[str, int], ("a", 1), ["a", 1]),
    (tuple[str, Secret], ("a", Secret("b")), ["a", "b"]),
    (frozenset[str], frozenset({"a"}), ["a"]),
    (dict[str, Secret], {"a": Secret("b")}, {"a": "b"}),
    (dict[int, str], {1: "a"}, {"1": "a"}),
    (VmState, VmState.ACTIVE, "active"),
    (PowerState | None, PowerState.RUNNING, 1),
    (datetime, datetime(2026, 11, 21, 10, 0, 0, 5), "2026-11-21T10:00:00.000005"),
    (None, None, None),
    (object, {"a": [1]}, {"a": [1]}),
])
def test_forms(type_, value, document):
    kind = type(None) if type_ is None else type_
    assert dump(kind, value) == document
    back = load(kind, document)
    assert back == value
    assert type(back) is type(value)


def test_a_time_with_a_zone_becomes_naive_utc():
    zoned = datetime(2026, 1, 1, 12, 0, tzinfo=timezone(timedelta(hours=2)))
    assert dump(datetime, zoned) == "2026-01-01T10:00:00"
    assert load(datetime, "2026-01-01T12:00:00+02:00") == datetime(2026, 1, 1, 10, 0)
    assert load(datetime, "2026-01-01T10:00:00Z") == datetime(2026, 1, 1, 10, 0)


def test_only_defaults_which_are_nothing_are_left_out():
    assert dump(Later, Later()) == {"colour": "red", "count": 1}
    assert dump(Later, Later(count=0)) == {"colour": "red", "count": 0}
    assert dump(Tree, Tree(name="")) == {"name": ""}, "a required field is always written"
    assert dump(Later, Later(secret=Secret("")))["secret"] == "", "an empty secret is not an absent one"


def test_unknown_keys_are_ignored_and_missing_ones_take_defaults():
    assert load(Later, {"of_next_year": 1, "ratio": 2.5}) == Later(ratio=2.5)


def test_unknown_enum_values_stay_plain():
    loaded = load(Later, {"colour": "infrared", "size": 99, "sizes": {"98": ["violet"]}})
    assert (loaded.colour, loaded.size, loaded.sizes) == ("infrared", 99, {98: ["violet"]})
    assert dump(Later, loaded)["colour"] == "infrared", "and go on as they came"


def test_a_secret_shows_only_on_the_wire():
    value = Later(secret=Secret("hunter2"))
    assert "hunter2" not in repr(value)
    assert dump(Later, value)["secret"] == "hunter2"
    assert "hunter2" not in repr(load(Later, dump(Later, value)))


def test_a_dump_shares_no_dict_with_the_value():
    value = Later(anything={"a": 1})
    dump(Later, value)["anything"]["a"] = 2
    assert value.anything == {"a": 1}


@pytest.mark.parametrize(("type_", "document", "words"), [
    (Tree, {"left": {}}, "Tree lacks name"),
    (Tree, [], "Tree wants an object"),
    (tuple[str, ...], "abc", "list of str"),
    (tuple[str, int], ["a"], "list of 2"),
    (dict[str, str], [], "object of str"),
    (datetime, "yesterday", "yesterday"),
    (datetime, 5, "5"),
    (Secret, 5, "secret must be text"),
])
def test_what_does_not_fit_is_refused_by_name(type_, document, words):
    with pytest.raises(WireError, match=words):
        load(type_, document)


class Neither(Enum):
    A = 1


@pytest.mark.parametrize("type_", [bytes, Neither, Tree | Later, dict[bytes, str], complex])
def test_types_without_a_json_form_are_refused_when_first_met(type_):
    with pytest.raises(TypeError):
        serializer.converter(type_)


def test_a_class_with_a_bad_field_is_refused_each_time():
    for _ in range(2):
        with pytest.raises(TypeError):
            dump(Bad, Bad(what=b""))


@dataclass
class Bad:
    what: bytes


class Methods:
    def plain(self, ctxt, *, tree: Tree, tail: int | None = None, count: int = 5) -> tuple[Tree, ...]: ...
    def positional(self, ctxt, tree: Tree) -> None: ...


def test_a_signature_carries_arguments_and_answer():
    signature = serializer.signature(Methods.plain)
    assert serializer.signature(Methods.plain) is signature, "made once"
    wire = signature.dump({"tree": Tree(name="a"), "tail": None})
    assert wire == {"tree": {"name": "a"}}, "an argument which is absent by default is left out"
    assert signature.load(wire) == {"tree": Tree(name="a")}
    assert signature.load({**wire, "count": 0, "of_next_year": 1}) == {"tree": Tree(name="a"), "count": 0}
    assert signature.load_answer(signature.dump_answer((Tree(name="b"),))) == (Tree(name="b"),)


def test_a_signature_refuses_what_a_call_would_refuse():
    signature = serializer.signature(Methods.plain)
    with pytest.raises(TypeError, match=r"missing.*tree"):
        signature.dump({"tail": 3})
    with pytest.raises(TypeError, match=r"unknown.*tael"):
        signature.dump({"tree": Tree(name="a"), "tael": 3})
    with pytest.raises(WireError, match="tree"):
        signature.load({})
    with pytest.raises(TypeError, match="keyword-only"):
        serializer.signature(Methods.positional)
