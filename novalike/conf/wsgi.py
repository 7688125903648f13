"""[wsgi]: how HTTP is served."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "wsgi"
OPTIONS = [
    cfg.StrOpt("api_paste_config", default="api-paste.ini", help=(
        "Paste configuration of the APIs: a path, or a name which is looked for in /etc/novalike and beside the package."
    )),
    cfg.BoolOpt("keep_alive", default=True, help="Leave connections open after an answer."),
    cfg.IntOpt("client_socket_timeout", default=900, min=0, help=(
        "Seconds after which a silent connection is closed; 0 waits for ever."
    )),
    cfg.IntOpt("default_pool_size", default=1000, min=1, help="Most connections served at a time, with green threads."),
    cfg.IntOpt("threads", default=32, min=1, help="Requests served at a time by one process, with native threads."),
    cfg.IntOpt("max_header_line", default=16384, min=1024, help=(
        "Longest header line accepted; must hold the tokens in use. All headers together may be eight times as long."
    )),
    cfg.IntOpt("backlog", default=128, min=1, help="Connections which the kernel keeps waiting."),
    cfg.BoolOpt("access_log", default=True, help="Log one line per request."),
]
