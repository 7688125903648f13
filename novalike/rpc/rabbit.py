"""oslo.messaging's RabbitMQ driver, with every wait of a sender bounded.

Its `retry` bounds only part of a send: the first call of a process opens the reply queue without it, a pooled connection
whose heartbeat notices the lost broker holds its lock while it reconnects for ever, and errors of kombu come out as they are.
An API worker must not hang in any of those while the broker is away.
"""

from __future__ import annotations

from typing import Any

import kombu.exceptions
from amqp.exceptions import AMQPError
from oslo_config import cfg
from oslo_messaging import MessageDeliveryFailure, MessageUndeliverable
from oslo_messaging._drivers import amqp, amqpdriver, common, impl_rabbit

GROUP = "oslo_messaging_rabbit"


def register(conf: cfg.ConfigOpts, defaults: dict[str, Any]) -> None:
    """Register the driver's options on `conf` with our defaults; configuration files win over those."""
    conf.register_opts(impl_rabbit.rabbit_opts, group=GROUP)
    conf.register_opts(amqp.amqp_opts, group=GROUP)
    for name, value in defaults.items():
        conf.set_default(name, value, group=GROUP)


class RabbitDriver(impl_rabbit.RabbitDriver):  # type: ignore[misc]  # oslo.messaging has no types
    """RabbitMQ. Senders try `attempts` times and raise MessageDeliveryFailure; listeners wait for ever."""

    def __init__(self, conf: cfg.ConfigOpts, url: Any, default_exchange: str, attempts: int) -> None:
        super().__init__(conf, url, default_exchange=default_exchange)
        self._attempts = attempts

    def send(self, *args: Any, **options: Any) -> Any:
        """Send as the base class does; what it, kombu and sockets raise becomes MessageDeliveryFailure."""
        try:
            return super().send(*args, **options)
        except MessageUndeliverable as error:
            raise MessageDeliveryFailure(f"Nobody listens to {error.routing_key}") from error
        except (kombu.exceptions.KombuError, AMQPError, OSError) as error:
            raise MessageDeliveryFailure(f"The broker does not answer: {error}") from error

    def _get_connection(self, purpose: str = common.PURPOSE_SEND, retry: int | None = None) -> Any:
        connection = super()._get_connection(purpose, retry)
        if purpose == common.PURPOSE_SEND:
            # What its heartbeat thread goes by when it reconnects, holding the connection's lock meanwhile.
            connection.connection.max_retries = self._attempts
        return connection

    def _get_reply_q(self) -> str:
        """Open the queue for replies at the first call, as the base class does, but give up after the usual attempts."""
        with self._reply_q_lock:
            if self._reply_q is None:  # type: ignore[has-type]  # set by the base class
                name = self._get_reply_queue_name()
                connection = common.ConnectionContext(_Bounded(self._connection_pool, self._attempts), common.PURPOSE_LISTEN, None)
                self._waiter = amqpdriver.ReplyWaiter(name, connection, self._allowed_remote_exmods)
                self._reply_q, self._reply_q_conn = name, connection
            return self._reply_q


class _Bounded:
    """A connection pool as ConnectionContext wants it, which gives up connecting."""

    def __init__(self, pool: Any, attempts: int) -> None:
        self._pool = pool
        self._attempts = attempts

    def create(self, purpose: str) -> Any:
        return self._pool.create(purpose, retry=self._attempts)
