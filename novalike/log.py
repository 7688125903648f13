"""Logging as OpenStack's operators know it: oslo.log's options and format, with the request id of the work at hand.

One process has one log, whichever of its daemons' configuration set it up.
"""

from __future__ import annotations

import logging
import re
from typing import Any

from oslo_config import cfg
from oslo_log import log as oslo_log

from novalike import context

#: Louder libraries than an operator wants to read, besides oslo.log's own list.
LEVELS = [
    "amqp=WARN", "sqlalchemy=WARN", "oslo.messaging=INFO", "oslo_messaging=INFO", "keystonemiddleware=WARN",
    "keystoneauth=WARN", "urllib3.connectionpool=WARN", "requests.packages.urllib3.connectionpool=WARN", "stevedore=WARN",
    "oslo_policy=INFO", "oslo_service=WARN", "routes.middleware=WARN", "alembic=WARN", "eventlet=WARN", "cheroot=WARN",
    "dogpile=INFO", "oslo.privsep=INFO", "futurist=WARN",
]

#: Tokens of ours and Keystone's (Fernet), and passwords in URLs and JSON. A net below code which logs none of them.
_SECRETS = re.compile(
    r"gAAAA[\w-]{16,}=*"
    r"|(?<=://)[^\s:/@]+:[^\s@/]+(?=@)"
    r"""|(?<=[Pp]assword["']: ["'])[^"']+|(?<=adminPass["']: ["'])[^"']+|(?<=admin_pass["']: ["'])[^"']+"""
)
_HINTS = ("gAAAA", "://", "assword", "dminPass", "dmin_pass")

_plain_factory = logging.getLogRecordFactory()


def register(conf: cfg.ConfigOpts) -> None:
    """Register oslo.log's options (`debug`, `log_file`, `log_dir`, `use_syslog`, formats ...) on a ConfigOpts, before it parses."""
    oslo_log.register_options(conf)
    conf.set_default("default_log_levels", LEVELS)


def setup(conf: cfg.ConfigOpts, product: str) -> None:
    """Send all logging of this process where `conf` says; `product` names it in syslog."""
    oslo_log.setup(conf, product)
    logging.captureWarnings(capture=True)
    logging.getLogger("py.warnings").setLevel(logging.ERROR)     # eventlet and oslo warn of each other's retirement
    logging.setLogRecordFactory(_record)


def mask(text: str) -> str:
    """Answer a text with everything that looks like a token or a password replaced by ***."""
    return _SECRETS.sub("***", text)


def _record(*args: Any, **kwargs: Any) -> logging.LogRecord:
    record = _plain_factory(*args, **kwargs)
    at_work = context.current.get()
    if at_work is not None:
        # oslo.log copies these onto the record for its format strings.
        record.context = {
            "request_id": at_work.request_id, "global_request_id": at_work.global_request_id,
            "user": at_work.user_id, "project": at_work.project_id, "project_name": at_work.project_name,
            "user_name": at_work.user_name, "domain": at_work.domain_id, "user_domain": at_work.user_domain_id,
            "project_domain": at_work.project_domain_id, "system_scope": at_work.system_scope, "resource_uuid": None,
            "user_identity": f"{at_work.user_id or '-'} {at_work.project_id or '-'}",
        }
    try:
        text = record.getMessage()
    except Exception:
        return record                            # arguments which do not fit: the handler tells, as without us
    if any(hint in text for hint in _HINTS):
        record.msg, record.args = mask(text), None
    return record
