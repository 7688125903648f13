"""Consoles for users: a URL with a token that lets its bearer in for a while."""

from __future__ import annotations

import uuid
from urllib.parse import urlencode, urlsplit, urlunsplit

from novalike.api.services import ApiServices
from novalike.context import RequestContext
from novalike.db import console_tokens
from novalike.exception import Conflict, Invalid, NotFound
from novalike.objects.console import PROTOCOLS, ConsoleAddress, ConsoleToken, ConsoleType
from novalike.objects.instance import Instance
from novalike.objects.secret import Secret
from novalike.objects.states import TaskState, VmState
from novalike.rpc.compute import Console

#: Tasks during which no console is given out.
_AWAY = frozenset({TaskState.DELETING, TaskState.MIGRATING})
#: What Nova's drivers may have, and hypervisors here have not: protocol -> types.
_ABSENT = {"mks": ("webmks",), "vnc": ("xvpvnc",), "rdp": ("rdp-html5",)}


def url(services: ApiServices, ctxt: RequestContext, instance: Instance, protocol: str, console_type: str) -> str:
    """Answer a URL which shows the server's console until [consoleauth]token_ttl has passed.

    Raises Invalid for a type which the protocol or the host has not, Conflict for a server without a host or in a task which
    takes it away, NotFound when the host has no such guest, Unavailable when it does not answer.
    """
    if console_type in _ABSENT.get(protocol, ()):
        raise Invalid(f"Unavailable console type {console_type}.")
    if not any(kind.value == console_type and PROTOCOLS[kind].value == protocol for kind in ConsoleType):
        raise Invalid(f"Invalid console type {console_type}")
    if instance.host is None:
        raise Conflict(f"Instance {instance.uuid} is not ready")
    if instance.task_state in _AWAY:
        raise Conflict(
            f"Cannot 'get_{protocol}_console' instance {instance.uuid} while it is in task_state {instance.task_state}",
        )
    try:
        address = services.compute(Console, instance.host).console(ctxt, instance=instance, console_type=console_type)
    except NotFound as error:
        if instance.vm_state == VmState.BUILDING:
            raise Conflict(f"Instance {instance.uuid} is not ready") from error
        raise
    token = Secret(str(uuid.uuid4()))
    services.cells.of_instance(instance.uuid).write(
        console_tokens.add, token, instance, console_type, address, seconds=services.conf.consoleauth.token_ttl,
    )
    return _with_token(address, console_type, token)


def find(services: ApiServices, token: str) -> ConsoleToken:
    """Answer a token which holds now. Raises NotFound."""
    found = console_tokens.TokenStore(services.cells).find(Secret(token))
    if found is None:
        raise NotFound("Token not found")
    return found


def _with_token(address: ConsoleAddress, console_type: str, token: Secret) -> str:
    """Answer the URL. noVNC's page takes the token as part of the path which it opens itself."""
    words = {"path": f"?token={token.reveal()}"} if console_type == ConsoleType.NOVNC else {"token": token.reveal()}
    parts = urlsplit(address.access_url_base)
    query = "&".join(filter(None, (parts.query, urlencode(words))))
    return urlunsplit(parts._replace(query=query))
