import os
import uuid

import pytest

from novalike.exception import NovalikeError
from novalike.privileged import links


@pytest.fixture
def name():
    chosen = f"nlt{uuid.uuid4().hex[:8]}"
    yield chosen
    links.delete(chosen)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_bridge_is_made_once_and_removed(name):
    assert links.ensure_bridge(name, mtu=1450)
    assert links.is_bridge(name) and links.exists(name)
    assert not links.ensure_bridge(name)
    assert links.delete(name)
    assert not links.delete(name)
    assert not links.exists(name)


def test_something_else_of_that_name_is_left_alone():
    assert links.exists("lo") and not links.is_bridge("lo")
    with pytest.raises(NovalikeError, match="no bridge"):
        links.ensure_bridge("lo")


@pytest.mark.parametrize("name", ["", "../eth0", "-n", "a b", "sixteen-letters-x"])
def test_what_is_no_name_reaches_no_command(name):
    with pytest.raises(NovalikeError, match="no interface name"):
        links.exists(name)
