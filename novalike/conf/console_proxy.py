"""[DEFAULT]: files and TLS of the console proxies."""

from oslo_config import cfg

GROUP = None

OPTIONS = [
    cfg.StrOpt("cert", default="self.pem", help=(
        "Certificate of the console proxies (and the key, unless `key` names it). No such file: no TLS."
    )),
    cfg.StrOpt("key", help="Private key of `cert`."),
    cfg.BoolOpt("ssl_only", default=False, help="Refuse connections without TLS to the console proxies."),
    cfg.StrOpt("web", help=(
        "Folder with the page which the console proxies serve. Not set: where Debian's packages novnc and spice-html5 put theirs; "
        "empty: no page, consoles only."
    )),
    cfg.BoolOpt("source_is_ipv6", default=False, help="Let the console proxies resolve their address to IPv6 first."),
]
