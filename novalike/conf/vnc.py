"""[vnc]: graphical consoles."""

from oslo_config import cfg

GROUP = "vnc"

OPTIONS = [
    cfg.BoolOpt("enabled", default=True, help="Give guests a graphical console."),
    cfg.StrOpt("server_listen", default="127.0.0.1", choices=("127.0.0.1", "::1"), help=(
        "Address on which guests' consoles listen. They ask for no password, so it must be a loopback one."
    )),
    cfg.StrOpt(
        "server_proxyclient_address", default="127.0.0.1",
        help="Address at which the console proxy reaches this host's guests.",
    ),
]
