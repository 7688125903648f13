"""Options by which sections of the configuration name an account and a service of a real OpenStack: keystoneauth's, as Nova has them.

What an account consists of (auth_url, username, password, project_name ... for `auth_type = password`) is up to the plugin
which auth_type names, and is read when it is loaded.
"""

from __future__ import annotations

from keystoneauth1 import loading
from oslo_config import cfg


def account() -> list[cfg.Opt]:
    """Answer auth_type and auth_section."""
    return list(loading.get_auth_common_conf_options())


def session() -> list[cfg.Opt]:
    """Answer cafile, certfile, keyfile, insecure, timeout and the like; a request without a limit could wait for ever."""
    found = list(loading.get_session_conf_options())
    for option in found:
        if option.dest == "timeout":
            option.default = 60
    return found


def service(service_type: str, *, connect_retries: int = 3, status_code_retries: int = 2) -> list[cfg.Opt]:
    """Answer service_type, valid_interfaces, region_name, endpoint_override and how often is tried again.

    Between attempts keystoneauth waits half a second, doubling. 503 is tried again by default: it says that nothing was done.
    """
    found = [option for option in loading.get_adapter_conf_options() if option.dest not in ("interface", "version", "min_version", "max_version")]
    defaults = {
        "service_type": service_type, "valid_interfaces": ["internal", "public"], "connect_retries": connect_retries,
        "status_code_retries": status_code_retries, "connect_retry_delay": 0.5, "status_code_retry_delay": 0.5,
    }
    for option in found:
        option.default = defaults.get(option.dest, option.default)
    return found
