"""Passwords of volumes, as libvirt keeps them: in memory only, and never answered to anybody.

Each function runs in a native thread on a connection (Host.call).
"""

from __future__ import annotations

import contextlib
from typing import Any

import libvirt

from novalike.virt.libvirt.volumes import Login
from novalike.virt.libvirt.xml.element import element, render

_USAGES = {"iscsi": "target", "ceph": "name"}


def ensure(connection: Any, login: Login) -> None:
    """Let libvirt know a password, also when it knew another one."""
    definition = element(
        "secret", {"ephemeral": "yes", "private": "yes"}, element("uuid", text=login.secret),
        element("usage", {"type": login.kind}, element(_USAGES[login.kind], text=login.usage)),
    )
    connection.secretDefineXML(render(definition)).setValue(login.password)


def forget(connection: Any, usage: str) -> None:
    """Forget the password of one volume, or with an instance's uuid those of all its volumes. Fine when there is none."""
    for secret in connection.listAllSecrets():
        if secret.usageID() == usage or secret.usageID().startswith(f"{usage}/"):
            with contextlib.suppress(libvirt.libvirtError):
                secret.undefine()
