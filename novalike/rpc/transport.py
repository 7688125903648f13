"""From a configuration to a message transport.

`transport_url` chooses it: `rabbit://user:password@host:5672/vhost` between processes, `inproc://name` inside one. The
options of [oslo_messaging_rabbit] are oslo.messaging's own, with defaults that suit a control plane whose rows are the truth:
a broker which is away for a while is waited for, by servers for ever and by senders for a bounded time.
"""

from __future__ import annotations

import logging
from typing import Any

import oslo_messaging as messaging
from oslo_config import cfg
from oslo_messaging import transport as oslo_transport
from oslo_messaging._metrics.client import oslo_messaging_metrics
from oslo_messaging._tracing.client import oslo_messaging_tracing

from novalike.rpc.engine import EXCHANGE
from novalike.rpc.inproc import InProcessDriver

LOG = logging.getLogger(__name__)

#: How often a sender tries to reach a broker before Unavailable is raised: about five seconds with the intervals below.
ATTEMPTS = 3

#: Ours where oslo.messaging's default would hurt. An operator's configuration file wins.
RABBIT_DEFAULTS: dict[str, Any] = {
    "rabbit_retry_interval": 1,          # seconds until the second attempt,
    "rabbit_retry_backoff": 1,           # so much more for each further one,
    "rabbit_interval_max": 4,            # and never more: a broker which is back is noticed soon (30 otherwise)
    "kombu_reconnect_delay": 0.5,
    "kombu_reconnect_splay": 0.5,        # a thousand hosts do not come back in the same instant
    "heartbeat_timeout_threshold": 60,   # on, and longer than the longest stall of the event loop
}


class Transport(oslo_transport.RPCTransport):  # type: ignore[misc]  # oslo.messaging has no types
    """A transport with what engine.client() uses for every message: `attempts` and `options`."""

    attempts: int | None = None
    options: Any = None


def register(conf: cfg.ConfigOpts) -> None:
    """Register the options of oslo.messaging on a ConfigOpts of ours, with our defaults; a second time changes nothing.

    oslo.messaging 18 registers two of its groups on the global cfg.CONF only, and then reads them from the transport's.
    """
    conf.register_opts(oslo_messaging_tracing, group="oslo_messaging_tracing")
    conf.register_opts(oslo_messaging_metrics, group="oslo_messaging_metrics")
    conf.register_opts(oslo_transport._transport_opts)  # noqa: SLF001  where oslo.messaging keeps transport_url


def build(conf: cfg.ConfigOpts, url: str | None = None) -> Transport:
    """Make the transport of `url`, or of the configuration's `transport_url` (RabbitMQ on this machine if not set).

    Opens no connection yet: build it in each process, after forking. Call cleanup() at the end. Raises
    oslo_messaging.InvalidTransportURL or DriverLoadFailure.
    """
    register(conf)
    parsed = messaging.TransportURL.parse(conf, url)
    scheme = parsed.transport.partition("+")[0]
    if scheme == "inproc":
        return Transport(InProcessDriver(conf, parsed, default_exchange=EXCHANGE))
    if scheme == "rabbit":
        return _rabbit(conf, parsed)
    return Transport(messaging.get_rpc_transport(conf, url=parsed)._driver)  # noqa: SLF001  fake:// and the like: theirs


def _rabbit(conf: cfg.ConfigOpts, url: Any) -> Transport:
    # Imports kombu and amqp, which the embedded shape does without.
    from novalike.rpc import rabbit

    rabbit.register(conf, RABBIT_DEFAULTS)
    transport = Transport(rabbit.RabbitDriver(conf, url, default_exchange=EXCHANGE, attempts=ATTEMPTS))
    transport.attempts = ATTEMPTS
    # The broker returns what no queue takes, so that a message to a host which never was there fails at once.
    transport.options = messaging.TransportOptions(at_least_once=True)
    return transport
