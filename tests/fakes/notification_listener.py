"""A service which listens to notifications, as Ceilometer or Watcher do, and a configuration which tells them."""

from __future__ import annotations

import queue
from concurrent.futures import ThreadPoolExecutor

import oslo_messaging as messaging
from oslo_config import cfg

from novalike import conf as conf_module
from novalike.notifications import oslo


def configuration(url, *, driver=("messagingv2",), **overrides):
    """Answer a configuration which sends to a bus."""
    conf = conf_module.load([], files=[], host="control", **overrides)
    oslo.register(conf)
    conf.set_override("transport_url", url)
    conf.set_override("driver", list(driver), group="oslo_messaging_notifications")
    return conf


class Listener:
    """Listens on Nova's exchange; `heard` are (event, publisher, payload, context)."""

    def __init__(self, url, *topics):
        self.heard: queue.Queue = queue.Queue()
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[])
        oslo.register(conf)
        self.transport = messaging.get_notification_transport(conf, url=url)
        self.server = messaging.get_notification_listener(
            self.transport, [messaging.Target(topic=topic, exchange="nova") for topic in topics], [self], executor="threading",
        )
        self.server._executor_cls = ThreadPoolExecutor       # green where threads are: oslo.messaging's own are deprecated
        self.server.start()

    def info(self, ctxt, publisher, event, payload, metadata):
        self.heard.put((event, publisher, payload, ctxt))

    error = info

    def stop(self):
        self.server.stop()
        self.server.wait()
        self.transport.cleanup()
