"""A change of what goes over the wire is seen in review, and two versions can talk."""

from __future__ import annotations

import inspect
import typing
from pathlib import Path

from novalike.rpc import serializer
from novalike.rpc.engine import methods
from tests.laws import wire


def test_the_wire_is_as_checked_in():
    checked_in = Path(wire.__file__).with_suffix(".txt").read_text()
    assert wire.describe() == checked_in, "the wire changed; if you mean it: python -m tests.laws.wire > tests/laws/wire.txt"


def test_every_signature_has_a_json_form():
    for interface in wire.interfaces():
        for name in methods(interface):
            serializer.signature(getattr(interface, name))


def test_an_older_target_never_needs_a_newer_version_than_its_interface():
    def number(version):
        return tuple(int(part) for part in version.split("."))

    for interface in wire.interfaces():
        for name, method in methods(interface).items():
            assert number(method.since) <= number(interface.version), f"{interface.__name__}.{name} is newer than its interface"
            assert method.since.split(".")[0] == interface.version.split(".")[0], f"{interface.__name__}.{name}: another major"


def test_every_remote_method_says_what_it_does():
    for interface in wire.interfaces():
        for name in methods(interface):
            function = getattr(interface, name)
            assert inspect.getdoc(function), f"{interface.__name__}.{name} has no docstring"
            assert "return" in typing.get_type_hints(function)
