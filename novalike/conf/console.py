"""[console]: what all console proxies have in common, and the way to guests on other hosts."""

from oslo_config import cfg

GROUP = "console"

OPTIONS = [
    cfg.ListOpt("allowed_origins", default=[], help=(
        "Host names from whose pages browsers may open consoles, besides the one by which the proxy itself is called."
    )),
    cfg.StrOpt("ssl_ciphers", help="Ciphers which the proxies offer, in OpenSSL's notation. Not set: OpenSSL's choice."),
    cfg.StrOpt("ssl_minimum_version", default="default", choices=("default", "tlsv1_1", "tlsv1_2", "tlsv1_3"), help=(
        "Oldest TLS version which the proxies speak. default: what OpenSSL has, TLS 1.2 nowadays."
    )),
    cfg.IntOpt("check_interval", default=3, min=1, help=(
        "Seconds between looks whether servers of open sessions are still there and where they were; else the session ends. (Ours.)"
    )),
    cfg.IntOpt("session_limit", default=1000, min=1, help="Connections which one proxy holds at most. (Ours.)"),
    cfg.HostAddressOpt("relay_host", help=(
        "Address on which the compute daemon lets console proxies of other hosts in, with a ticket which works once. Guests' "
        "consoles themselves listen on loopback only. Not set: the proxies run on the same host. (Ours.)"
    )),
    cfg.PortOpt("relay_port", default=6089, help="Port for relay_host. (Ours.)"),
]
