"""[vnc]: graphical consoles by VNC, and their proxy."""

from oslo_config import cfg

from novalike.option_types import Loopback

GROUP = "vnc"

OPTIONS = [
    cfg.BoolOpt("enabled", default=True, help="Give guests a VNC console."),
    cfg.Opt("server_listen", type=Loopback(), default="127.0.0.1", help=(
        "Address on which guests' consoles listen. They ask for no password, so 127.0.0.1 or ::1 are used only, and the "
        "former for anything else; proxies on other hosts come in by [console]relay_host."
    )),
    cfg.Opt("server_proxyclient_address", type=Loopback(), default="127.0.0.1", help=(
        "Address at which consoles of this host's guests are reached on it; as with server_listen a loopback one."
    )),
    cfg.URIOpt("novncproxy_base_url", default="http://127.0.0.1:6080/vnc_auto.html", help=(
        "Start of the URLs which users get for a VNC console: where browsers reach novalike-novncproxy, and its page. Read on "
        "the compute host."
    )),
    cfg.HostAddressOpt("novncproxy_host", default="0.0.0.0", help="Address on which novalike-novncproxy answers."),  # noqa: S104
    cfg.PortOpt("novncproxy_port", default=6080, help="Port of novalike-novncproxy."),
]
