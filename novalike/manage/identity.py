"""`novalike-manage identity`: the first accounts of a cloud with the local identity service."""

from __future__ import annotations

import argparse
import os

from novalike.clock import Clock
from novalike.db import flavors
from novalike.exception import Duplicate, Invalid
from novalike.identity.local.service import LocalIdentity
from novalike.manage.command import Command, Session
from novalike.objects.flavor import USUAL


def bootstrap(session: Session) -> int:
    """Make domain, projects, users, roles and the catalog; passwords come from the environment, never from arguments."""
    password = os.environ.get("NOVALIKE_ADMIN_PASSWORD", "")
    if not password:
        raise Invalid("NOVALIKE_ADMIN_PASSWORD must be set in the environment.")
    identity = LocalIdentity(session.conf, session.cells, Clock())
    identity.bootstrap(admin_password=password, demo_password=os.environ.get("NOVALIKE_DEMO_PASSWORD") or None)
    made = make_flavors(session) if session.arguments.flavors else 0
    session.output.values({"users": "ready", "catalog": "ready", "flavors made": made})
    return 0


def make_flavors(session: Session) -> int:
    """Make the usual flavors which are not there yet; answer how many."""
    made = 0
    for flavor in USUAL:
        try:
            session.cells.shared.write(flavors.create, flavor, now=Clock().now())
            made += 1
        except Duplicate:
            continue
    return made


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--flavors", action="store_true", help="make the usual flavors too")


COMMANDS = (
    Command("identity", "bootstrap", "Make the first domain, projects, users, roles and catalog (again: only what is missing).", bootstrap, _options),
)
