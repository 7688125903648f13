"""Finds what configuration files say in vain: options which nothing here reads, such as some of a nova.conf."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from keystoneauth1 import exceptions, loading
from oslo_config import cfg

from novalike import conf as configuration

LOG = logging.getLogger(__name__)
#: Sections which libraries read when they are first used.
_OF_LIBRARIES = ("oslo_", "keystone_authtoken")


def warn(conf: cfg.ConfigOpts) -> None:
    """Log one line which names them all, if there are any. `conf` has read its files."""
    found = list(unread(conf, conf.config_file or ()))
    if found:
        LOG.warning("Options in configuration files which novalike has no use for: %s", ", ".join(found))


def unread(conf: cfg.ConfigOpts, files: Iterable[str]) -> Iterator[str]:
    """Answer [SECTION]name of options in these files which nothing reads; only [SECTION] where that holds for all of it."""
    written: dict[str, dict[str, list[str]]] = {}
    for file in files:
        if Path(file).is_file():
            cfg.ConfigParser(file, written).parse()
    former = {
        (one.group or section or "DEFAULT", one.name or option.dest) for section, options in configuration.sections()
        for option in options for one in option.deprecated_opts
    }
    for section, options in written.items():
        if section.startswith(_OF_LIBRARIES):
            continue
        known = conf if section == "DEFAULT" else getattr(conf, section, ())
        accounts = _account(known) if section != "DEFAULT" else set()
        vain = [name for name in options if name.replace("-", "_") not in known and name not in accounts and (section, name) not in former]
        if vain and not known and section != "DEFAULT":
            yield f"[{section}]"
        else:
            yield from (f"[{section}]{name}" for name in vain)


def _account(section: Iterable[str]) -> set[str]:
    """The options of the account which a section names, if it names one: keystoneauth's plugin reads them."""
    kind = getattr(section, "auth_type", None)
    if not kind:
        return set()
    try:
        options = loading.get_auth_plugin_conf_options(kind)
    except exceptions.NoMatchingPlugin:
        return set()                             # whoever logs in says so
    return {name for option in options for name in (option.dest, *(str(one.name) for one in option.deprecated_opts))}
