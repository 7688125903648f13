"""From one interface class to its client and its endpoint.

    class Lifecycle(Interface):
        topic, version = "compute", "1.0"

        @cast()
        def act(self, ctxt: RequestContext, *, order: ActionOrder) -> None: ...

    client(Lifecycle, transport, server="host-7").act(ctxt, order=order)

The endpoint subclasses the interface, so that mypy checks both sides against the same signatures. Arguments and answers
travel as JSON, by their type hints (serializer.py). An argument added later must have a default and `since`: it is left
out for an older target.
"""

from __future__ import annotations

import inspect
import logging
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, cast as typing_cast

import oslo_messaging as messaging
from oslo_messaging.rpc.dispatcher import expected_exceptions

from novalike import context as context_module
from novalike.context import RequestContext
from novalike.exception import NovalikeError, Unavailable
from novalike.rpc import serializer

LOG = logging.getLogger(__name__)
F = TypeVar("F", bound=Callable[..., Any])
I = TypeVar("I", bound="Interface")  # noqa: E741

EXCHANGE = "novalike"


@dataclass(frozen=True)
class Method:
    """How a method travels: `waits` for an answer or not, for how many seconds, since which version of its interface."""

    waits: bool
    timeout: float
    since: str
    fanout: bool = False


def call(*, since: str = "1.0", timeout: float = 60) -> Callable[[F], F]:
    """Mark a method which waits for an answer, for at most `timeout` seconds (then Unavailable is raised)."""
    return _mark(Method(waits=True, timeout=timeout, since=since))


def cast(*, since: str = "1.0", fanout: bool = False) -> Callable[[F], F]:
    """Mark a method which is sent and forgotten; it may be lost, doubled or late. `fanout` sends it to every server."""
    return _mark(Method(waits=False, timeout=0, since=since, fanout=fanout))


def _mark(method: Method) -> Callable[[F], F]:
    def mark(function: F) -> F:
        function.__rpc__ = method  # type: ignore[attr-defined]
        return function
    return mark


class Interface:
    """Base of every interface. `topic` names who listens, `version` is the newest this code speaks."""

    topic: ClassVar[str]
    version: ClassVar[str] = "1.0"


def methods(interface: type[Interface]) -> dict[str, Method]:
    """Answer the remote methods of an interface by name."""
    return {
        name: function.__rpc__
        for name, function in inspect.getmembers(interface, inspect.isfunction) if hasattr(function, "__rpc__")
    }


def definition(cls: type[Interface]) -> type[Interface]:
    """Answer the interface which an endpoint class implements: the class that stands right below `Interface`."""
    for base in cls.__mro__:
        if Interface in base.__bases__:
            return base
    raise TypeError(f"{cls.__name__} implements no RPC interface")


def client(interface: type[I], transport: Any, *, server: str | None = None, version_cap: str | None = None) -> I:
    """Make a client of `interface`; with `server` it speaks to that host only, else to any that listens.

    The answer's methods raise the endpoint's NovalikeError families as such, and Unavailable when nobody answers in time
    or the broker is away. `version_cap` pins the wire to an older target (rolling upgrades).
    """
    target = messaging.Target(topic=interface.topic, namespace=interface.__name__, version=interface.version, server=server)
    return typing_cast(I, _Client(interface, transport, target, version_cap))


class _Client:
    def __init__(self, interface: type[Interface], transport: Any, target: messaging.Target, cap: str | None) -> None:
        self._remote = messaging.get_rpc_client(transport, target, version_cap=cap)
        for name, method in methods(interface).items():
            signature = serializer.signature(getattr(interface, name))
            sender = self._caller(name, method, signature) if method.waits else self._caster(name, method, signature)
            setattr(self, name, sender)

    def _caller(self, name: str, method: Method, signature: serializer.Signature) -> Callable[..., Any]:
        prepared = self._remote.prepare(timeout=method.timeout, version=method.since)

        def send(ctxt: RequestContext, **arguments: Any) -> Any:
            try:
                answer = prepared.call(serializer.dump(RequestContext, ctxt), name, **signature.dump(arguments))
            except messaging.MessagingTimeout as error:
                raise Unavailable(f"No answer to {name} in {method.timeout:g} s.", details=str(error)) from error
            except messaging.MessageDeliveryFailure as error:
                raise Unavailable(f"{name} could not be delivered.", details=str(error)) from error
            return signature.load_answer(answer)
        return send

    def _caster(self, name: str, method: Method, signature: serializer.Signature) -> Callable[..., None]:
        prepared = self._remote.prepare(version=method.since, fanout=method.fanout or None)

        def send(ctxt: RequestContext, **arguments: Any) -> None:
            try:
                prepared.cast(serializer.dump(RequestContext, ctxt), name, **signature.dump(arguments))
            except messaging.MessageDeliveryFailure as error:
                raise Unavailable(f"{name} could not be sent.", details=str(error)) from error
        return send


class Dispatched:
    """An endpoint object as oslo.messaging wants it: same methods, JSON in and out."""

    def __init__(self, endpoint: Interface) -> None:
        interface = definition(type(endpoint))
        self.target = messaging.Target(namespace=interface.__name__, version=interface.version)
        for name, method in methods(interface).items():
            setattr(self, name, self._receiver(getattr(endpoint, name), method, serializer.signature(getattr(interface, name))))

    @staticmethod
    def _receiver(function: Callable[..., Any], method: Method, signature: serializer.Signature) -> Callable[..., Any]:
        def receive(ctxt: dict[str, Any], **arguments: Any) -> Any:
            caller = serializer.load(RequestContext, ctxt)
            token = context_module.current.set(caller)
            try:
                answer = function(caller, **signature.load(arguments))
                return signature.dump_answer(answer) if method.waits else None
            except NovalikeError:
                if method.waits:
                    raise
                LOG.exception("%s failed", function.__qualname__)
                return None
            finally:
                context_module.current.reset(token)
        return expected_exceptions(NovalikeError)(receive) if method.waits else receive


def server(transport: Any, topic: str, host: str, endpoints: Iterable[Interface]) -> Any:
    """Make the RPC server which gives messages for `topic` (to any host, or to this one) to the endpoints.

    Answers an object with start(), stop() and wait(). The executor follows the concurrency switch.
    """
    target = messaging.Target(topic=topic, server=host)
    from novalike import concurrency

    return messaging.get_rpc_server(
        transport, target, [Dispatched(endpoint) for endpoint in endpoints],
        executor="eventlet" if concurrency.mode() == "eventlet" else "threading",
        access_policy=messaging.DefaultRPCAccessPolicy,
    )


def hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Answer a method's resolved type hints."""
    return typing.get_type_hints(function)
