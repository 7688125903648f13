"""[spice]: graphical consoles by SPICE, and their proxy."""

from oslo_config import cfg

from novalike.option_types import Loopback

GROUP = "spice"

OPTIONS = [
    cfg.BoolOpt("enabled", default=False, help="Give guests a SPICE console."),
    cfg.BoolOpt("agent_enabled", default=True, help="Give guests a channel for the SPICE agent (clipboard, resolution)."),
    cfg.StrOpt("image_compression", choices=("auto_glz", "auto_lz", "quic", "glz", "lz", "off"), help="How images are compressed."),
    cfg.StrOpt("jpeg_compression", choices=("auto", "never", "always"), help="Lossy compression of images."),
    cfg.StrOpt("zlib_compression", choices=("auto", "never", "always"), help="Lossless compression of images."),
    cfg.BoolOpt("playback_compression", help="Compress audio."),
    cfg.StrOpt("streaming_mode", choices=("filter", "all", "off"), help="Which parts of the screen are sent as video."),
    cfg.BoolOpt("require_secure", default=False, help="Let guests' consoles accept encrypted connections only."),
    cfg.Opt("server_listen", type=Loopback(), default="127.0.0.1", help=(
        "Address on which guests' consoles listen. They ask for no password, so 127.0.0.1 or ::1 are used only, and the "
        "former for anything else; proxies on other hosts come in by [console]relay_host."
    )),
    cfg.Opt("server_proxyclient_address", type=Loopback(), default="127.0.0.1", help=(
        "Address at which consoles of this host's guests are reached on it; as with server_listen a loopback one."
    )),
    cfg.URIOpt("html5proxy_base_url", default="http://127.0.0.1:6082/spice_auto.html", help=(
        "Start of the URLs which users get for a SPICE console: where browsers reach novalike-spicehtml5proxy, and its page. "
        "Read on the compute host."
    )),
    cfg.URIOpt("spice_direct_proxy_base_url", default="http://127.0.0.1:13002/nova", help=(
        "Start of the URLs for consoles of type spice-direct: a proxy of SPICE itself, which is not part of this project and "
        "asks GET /os-console-auth-tokens."
    )),
    cfg.HostAddressOpt("html5proxy_host", default="0.0.0.0", help="Address on which novalike-spicehtml5proxy answers."),  # noqa: S104
    cfg.PortOpt("html5proxy_port", default=6082, help="Port of novalike-spicehtml5proxy."),
]
