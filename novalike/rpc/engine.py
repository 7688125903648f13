"""From one interface class to its client and its endpoint.

    class Lifecycle(Interface):
        topic, version = "compute", "1.0"

        @cast()
        def act(self, ctxt: RequestContext, *, order: ActionOrder) -> None: ...

    client(Lifecycle, transport, server="host-7").act(ctxt, order=order)

The endpoint subclasses the interface, so that mypy checks both sides against the same signatures. Arguments and answers
travel as JSON, by their type hints (serializer.py). A method added later says `since` which version of its interface it is
there. An argument added later must have the default None, False, 0 or empty: such a default is not written to the wire,
and an older endpoint drops arguments it does not know.

Our errors travel inside the answer (failures.py) and arrive as the same class; nothing depends on oslo.messaging's own way
of loading exception classes by module name. tests/laws/wire.txt shows all of the wire, so that a change is seen in review.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar
from typing import cast as typing_cast

import oslo_messaging as messaging
from oslo_messaging.rpc.client import RPCVersionCapError
from oslo_messaging.rpc.server import RPCServer

from novalike import context as context_module
from novalike.context import RequestContext
from novalike.exception import NotBuilt, NovalikeError, Unavailable
from novalike.rpc import failures, serializer

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


def client(
    interface: type[I], transport: Any, *, server: str | None = None, version_cap: str | None = None,
    retry: int | None = None,
) -> I:
    """Make a client of `interface`; with `server` it speaks to that host only, else to any that listens.

    Its methods raise the endpoint's NovalikeError families as such; Unavailable when nobody answers in time, or when the
    message cannot be handed to the broker within `retry` attempts (None: the transport's default, see transport.py); and
    NotBuilt when the other side is older than the method. `version_cap` pins the wire to an older target (rolling
    upgrades).
    """
    target = messaging.Target(
        exchange=EXCHANGE, topic=interface.topic, namespace=interface.__name__, version=interface.version, server=server,
    )
    remote = messaging.get_rpc_client(
        transport, target, version_cap=version_cap, retry=getattr(transport, "attempts", None) if retry is None else retry,
        transport_options=getattr(transport, "options", None),
    )
    return typing_cast("I", _Client(interface, remote))


class _Client:
    def __init__(self, interface: type[Interface], remote: Any) -> None:
        for name, method in methods(interface).items():
            signature = serializer.signature(getattr(interface, name))
            sender = _caller(remote, name, method, signature) if method.waits else _caster(remote, name, method, signature)
            setattr(self, name, sender)


def _caller(remote: Any, name: str, method: Method, signature: serializer.Signature) -> Callable[..., Any]:
    prepared = remote.prepare(timeout=method.timeout, version=method.since)

    def send(ctxt: RequestContext, **arguments: Any) -> Any:
        document = signature.dump(arguments)
        try:
            answer = prepared.call(serializer.dump(RequestContext, ctxt), name, **document)
        except messaging.MessagingTimeout as error:
            raise Unavailable(f"No answer to {name} in {method.timeout:g} s.", details=str(error)) from error
        except messaging.RemoteError as error:           # not from an endpoint of ours: those answer with failures
            raise _refused(name, error) from None        # its text holds the other side's traceback
        except messaging.MessagingException as error:
            raise _undelivered(name, error) from error
        if "failure" in answer:
            raise failures.load(answer["failure"])
        return signature.load_answer(answer["answer"])
    return send


def _caster(remote: Any, name: str, method: Method, signature: serializer.Signature) -> Callable[..., None]:
    prepared = remote.prepare(version=method.since, fanout=method.fanout or None)

    def send(ctxt: RequestContext, **arguments: Any) -> None:
        document = signature.dump(arguments)
        try:
            prepared.cast(serializer.dump(RequestContext, ctxt), name, **document)
        except messaging.MessagingException as error:
            raise _undelivered(name, error) from error
    return send


def _undelivered(name: str, error: messaging.MessagingException) -> NovalikeError:
    if isinstance(error, RPCVersionCapError):
        return NotBuilt(f"{name} is not known to the version to which services are pinned.", details=str(error))
    return Unavailable(f"{name} could not be delivered.", details=str(error))


def _refused(name: str, error: messaging.RemoteError) -> NovalikeError:
    if error.exc_type in ("UnsupportedVersion", "NoSuchMethod"):
        return NotBuilt(f"{name} is not known to the service which was asked; it runs an older version.")
    return NovalikeError(f"{name} failed in a way nobody foresaw.", details=f"{error.exc_type}: {error.value}")


class Dispatched:
    """An endpoint object as oslo.messaging wants it: same methods, JSON in and out."""

    def __init__(self, endpoint: Interface) -> None:
        interface = definition(type(endpoint))
        self.target = messaging.Target(namespace=interface.__name__, version=interface.version)
        for name, method in methods(interface).items():
            signature = serializer.signature(getattr(interface, name))
            label = f"{interface.__name__}.{name}"
            setattr(self, name, _receiver(label, getattr(endpoint, name), method, signature))


def _receiver(
    label: str, function: Callable[..., Any], method: Method, signature: serializer.Signature,
) -> Callable[..., Any]:
    def receive(ctxt: dict[str, Any], **arguments: Any) -> Any:
        token = None
        try:
            caller = serializer.load(RequestContext, ctxt)
            token = context_module.current.set(caller)
            answer = function(caller, **signature.load(arguments))
            return {"answer": signature.dump_answer(answer)} if method.waits else None
        except NovalikeError as error:
            if method.waits:                             # the caller handles it, and logs it if it matters there
                LOG.debug("%s answers %s: %s", label, type(error).__name__, error)
                return {"failure": failures.dump(error)}
            LOG.error("%s failed: %s %s", label, error, error.details, exc_info=error.code >= 500)  # noqa: TRY400  foreseen
        except Exception as error:
            LOG.exception("%s failed", label)
            if method.waits:
                return {"failure": failures.dump(error)}
        finally:
            if token is not None:
                context_module.current.reset(token)
        return None
    return receive


class _Server(RPCServer):  # type: ignore[misc]  # oslo.messaging has no types
    """oslo.messaging's server with the standard library's pool of threads (green ones when that is patched). Its own pools
    start a thread for each of the first messages though others idle, wake each once a second, or are deprecated."""

    def __init__(self, transport: Any, target: messaging.Target, dispatcher: Any, executor: str | None = None) -> None:
        super().__init__(transport, target, dispatcher, executor)
        self._executor_cls = ThreadPoolExecutor


def server(transport: Any, topic: str, host: str, endpoints: Iterable[Interface]) -> Any:
    """Make the RPC server which gives messages for `topic` (to any host, or to this one) to the endpoints.

    Answers an object with start(), stop() (takes no more messages) and wait() (until those taken are done).
    """
    return messaging.get_rpc_server(
        transport, messaging.Target(exchange=EXCHANGE, topic=topic, server=host), [Dispatched(endpoint) for endpoint in endpoints],
        access_policy=messaging.DefaultRPCAccessPolicy, server_cls=_Server,
    )
