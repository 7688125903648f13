"""[keystone]: how a real Keystone is asked about projects and users."""

from __future__ import annotations

from oslo_config import cfg

from novalike import remote_options

GROUP = "keystone"
OPTIONS: list[cfg.Opt] = [*remote_options.account(), *remote_options.session(), *remote_options.service("identity")]
