"""The identity service: the local one, and how a real Keystone is asked."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "identity"
OPTIONS: list[cfg.Opt] = [
    cfg.IntOpt("password_hash_rounds", default=12, min=4, max=31,
               help="Cost of bcrypt: each step doubles the time a login takes."),
    cfg.IntOpt("max_password_length", default=4096, min=1, help="Longer passwords are refused."),
    cfg.IntOpt("token_expiration", default=3600, min=1, help="Seconds for which a token is valid."),
    cfg.IntOpt("allow_expired_window", default=172800, min=0,
               help="Seconds after its expiry for which a token is still accepted from a service which vouches for the "
                    "request with its own token (long uploads, live migrations)."),
    cfg.FloatOpt("revocation_poll_interval", default=1.0, min=0.0,
                 help="Seconds after which a process notices that another one revoked a token or changed an account. "
                      "Changes made in the same process count at once. 0 asks the database at every request."),
    cfg.IntOpt("token_cache_size", default=10000, min=0, help="How many verified tokens a process remembers."),
    cfg.StrOpt("region", default="RegionOne", help="The region of the endpoints which bootstrap makes."),
    cfg.StrOpt("public_endpoint", help="The URL under which clients reach the identity API, when a proxy stands before it."),
    cfg.StrOpt("www_authenticate_uri",
               help="The identity API's URL which answers 401 name to clients of the local identity service. Default: the "
                    "identity endpoint of [endpoints]."),
]
