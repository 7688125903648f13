"""Over oslo.messaging: a real listener hears what is told, in one process and over a real broker."""

from __future__ import annotations

import uuid

import pytest

from novalike.clock import Clock
from novalike.notifications import oslo
from novalike.notifications.notifier import SILENT
from novalike.objects.notification import Sight
from novalike.objects.tasks import Caller
from tests.conftest import server_url
from tests.factories import instance
from tests.fakes.notification_listener import Listener, configuration

CALLER = Caller(user_id="u", project_id="p", request_id="req-1")


@pytest.fixture(params=["inproc", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def url(request):
    return f"inproc://{uuid.uuid4()}" if request.param == "inproc" else server_url("rabbitmq")


def test_a_listener_hears_both_forms_on_their_topics(url):
    topic, old_topic = f"v-{uuid.uuid4()}", f"n-{uuid.uuid4()}"
    conf = configuration(url, notifications__notification_format="both", notifications__versioned_notifications_topics=[topic])
    conf.set_override("topics", [old_topic], group="oslo_messaging_notifications")
    versioned, old = Listener(url, topic), Listener(url, old_topic)
    notifier = oslo.build(conf, Clock())
    try:
        for phase in ("start", "end"):
            notifier.action("create", phase, Sight(instance=instance(host="h1")), caller=CALLER)
        heard = [versioned.heard.get(timeout=10) for _ in range(2)]
        assert [(event, publisher) for event, publisher, _, _ in heard] == [
            ("instance.create.start", "nova-compute:h1"), ("instance.create.end", "nova-compute:h1"),
        ]
        assert heard[0][2]["nova_object.name"] == "InstanceCreatePayload"
        assert heard[0][3]["request_id"] == "req-1"
        event, publisher, payload, _ = old.heard.get(timeout=10)
        assert (event, publisher, payload["state"]) == ("compute.instance.create.start", "compute.h1", "active")
    finally:
        notifier.stop()
        versioned.stop()
        old.stop()


@pytest.mark.parametrize("driver", [(), ("noop",), ("",)])
def test_without_a_driver_there_is_nothing(driver):
    assert oslo.build(configuration("inproc://x", driver=driver), Clock()) is SILENT
    assert not SILENT.enabled


def test_an_operator_s_exchange_wins():
    conf = configuration("inproc://x")
    assert conf.control_exchange == "nova"
    conf.set_override("control_exchange", "mine")
    oslo.register(conf)
    assert conf.control_exchange == "mine"
