"""[serial_console]: serial ports of guests to type at, and their proxy."""

from oslo_config import cfg

from novalike.option_types import Loopback

GROUP = "serial_console"

OPTIONS = [
    cfg.BoolOpt("enabled", default=False, help=(
        "Put guests' serial ports on TCP ports of loopback, so that users can log in there. What guests write is logged as well."
    )),
    cfg.StrOpt("port_range", default="10000:20000", regex=r"^\d+:\d+$", help=(
        "TCP ports for guests' serial ports: the first one, and the one after the last."
    )),
    cfg.URIOpt("base_url", default="ws://127.0.0.1:6083/", schemes=("ws", "wss"), help=(
        "Start of the URLs which users get for a serial console: where they reach novalike-serialproxy. Read on the compute host."
    )),
    cfg.Opt("proxyclient_address", type=Loopback(), default="127.0.0.1", help=(
        "Address on which guests' serial ports listen. They ask for no password, so 127.0.0.1 or ::1 are used only, and the "
        "former for anything else; proxies on other hosts come in by [console]relay_host."
    )),
    cfg.HostAddressOpt("serialproxy_host", default="0.0.0.0", help="Address on which novalike-serialproxy answers."),  # noqa: S104
    cfg.PortOpt("serialproxy_port", default=6083, help="Port of novalike-serialproxy."),
]
