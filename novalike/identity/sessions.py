"""How we log in to a real OpenStack: keystoneauth sessions of the service accounts which the configuration names.

A session keeps its connections and its token, and renews both by itself; one per account and process is shared by all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from keystoneauth1 import exceptions as failures
from keystoneauth1 import loading
from keystoneauth1.session import Session
from oslo_config import cfg

from novalike.exception import Unavailable

LOG = logging.getLogger(__name__)

#: Sections which may name an account of ours, the best last resort last.
FALLBACKS = ("service_user", "keystone_authtoken")


def is_remote(conf: cfg.ConfigOpts) -> bool:
    """Tell whether the identity service is a real Keystone; image and network are remote then, too."""
    return _names_account(conf, "keystone_authtoken")


class Sessions:
    """The sessions of one process, each made at first use."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._made: dict[str, Session] = {}

    def of(self, section: str) -> Session:
        """Answer the session for the service of a section: its own account, else that of [service_user], else the one which
        checks tokens. Certificates and timeouts are the section's own. Raises cfg.Error when none of them names an account."""
        if section not in self._made:
            account = next((name for name in (section, *FALLBACKS) if _names_account(self._conf, name)), None)
            if account is None:
                raise cfg.Error(f"[{section}] names no account for a real OpenStack, and neither do [service_user] and [keystone_authtoken]")
            try:
                auth = loading.load_auth_from_conf_options(self._conf, account)
                self._made[section] = loading.load_session_from_conf_options(self._conf, section, auth=auth)
            except (failures.MissingRequiredOptions, failures.NoMatchingPlugin) as error:
                raise cfg.Error(f"[{account}]: {error}") from error
        return self._made[section]

    def token_headers(self, section: str) -> Callable[[], dict[str, str]] | None:
        """Answer what says who we are to a service which is asked without a session, or None when nothing names an account.

        It raises Unavailable when Keystone does not answer.
        """
        if not any(_names_account(self._conf, name) for name in (section, *FALLBACKS)):
            return None

        def headers() -> dict[str, str]:
            try:
                token = self.of(section).get_token()
            except failures.ClientException as error:
                raise Unavailable("The identity service gives no token.", details=str(error)) from error
            return {"X-Auth-Token": str(token)}
        return headers


def adapter_settings(section: Any) -> dict[str, Any]:
    """Answer what keystoneauth's adapter takes of a section with its usual options."""
    return {
        "service_type": section.service_type, "service_name": section.service_name, "interface": section.valid_interfaces,
        "region_name": section.region_name, "endpoint_override": section.endpoint_override,
        "connect_retries": section.connect_retries, "connect_retry_delay": section.connect_retry_delay,
        "status_code_retries": section.status_code_retries, "status_code_retry_delay": section.status_code_retry_delay,
        "retriable_status_codes": [int(code) for code in section.retriable_status_codes or ()] or None,
    }


def _names_account(conf: cfg.ConfigOpts, section: str) -> bool:
    return bool(conf[section].auth_type or conf[section].auth_section)
