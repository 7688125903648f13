"""[consoleauth]: tokens for consoles."""

from oslo_config import cfg

GROUP = "consoleauth"

OPTIONS = [
    cfg.IntOpt("token_ttl", default=600, min=0, help="Seconds within which a console's URL lets somebody in."),
    cfg.BoolOpt("enforce_session_timeout", default=False, help="End a session when its token expires, not only new attempts."),
]
