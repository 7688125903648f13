"""[keystone_authtoken]: the real Keystone which checks tokens. keystonemiddleware's; only what says that there is one is listed."""

from __future__ import annotations

from oslo_config import cfg

from novalike import remote_options

GROUP = "keystone_authtoken"
#: Names no account: identity, image and network are our own.
OPTIONS: list[cfg.Opt] = remote_options.account()
