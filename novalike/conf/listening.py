"""[DEFAULT]: on which addresses the APIs answer."""

from __future__ import annotations

from oslo_config import cfg

GROUP = None

#: API name (as in enabled_apis) -> (paste application, port, what it is).
APIS: dict[str, tuple[str, int, str]] = {
    "osapi_compute": ("compute", 8774, "Compute"),
    "metadata": ("metadata", 8775, "metadata"),
    "identity": ("identity", 5000, "identity"),
    "image": ("image", 9292, "image"),
    "network": ("network", 9696, "network"),
}

OPTIONS: list[cfg.Opt] = [
    cfg.ListOpt("enabled_apis", default=list(APIS), help=(
        f"What novalike-api serves, each on its own port: {', '.join(APIS)}. Services which are remote are left out by themselves."
    )),
    *(
        option for name, (_application, port, what) in APIS.items() for option in (
            cfg.HostAddressOpt(f"{name}_listen", default="127.0.0.1" if name == "metadata" else "0.0.0.0", help=(  # noqa: S104
                f"Address on which the {what} API answers."
            )),
            cfg.PortOpt(f"{name}_listen_port", default=port, help=f"Port of the {what} API."),
        )
    ),
]
