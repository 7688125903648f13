"""Inventories are read once, and what hosts of one model have in common is kept once."""

import orjson

from novalike.objects.host import Inventory
from novalike.rpc import serializer
from novalike.scheduler.inventories import Inventories
from tests import factories_hosts as make


def document(host, **changes):
    return orjson.dumps(serializer.dump(Inventory, make.inventory(host, **changes))).decode()


def test_the_same_words_are_the_same_object_until_the_host_says_something_else():
    known = Inventories()
    first = known.read(1, document("a"))
    assert first == make.inventory("a")
    assert known.read(1, document("a")) is first
    assert known.read(1, document("a", vcpus=9)).vcpus == 9
    known.forget(1)
    assert known.read(1, document("a")) == first


def test_hosts_of_one_model_share_what_is_large():
    known = Inventories()
    a, b, c = known.read(1, document("a")), known.read(2, document("b")), known.read(3, document("c", cpu_info={"arch": "aarch64"}))
    assert a.cpu_info is b.cpu_info
    assert a.traits is b.traits
    assert a.supported is b.supported
    assert (a.host, b.host) == ("a", "b")
    assert c.cpu_info == {"arch": "aarch64"}
