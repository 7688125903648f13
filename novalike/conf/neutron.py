"""[neutron]: a real Neutron, and the secret which proves to the metadata service who asks."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "neutron"

OPTIONS = [
    cfg.StrOpt(
        "metadata_proxy_shared_secret", default="", secret=True,
        help="Signs the identity of guests between the network agents (ours or Neutron's) and the metadata API. Must be the same "
             "on all of them; without one the metadata API answers nobody.",
    ),
    cfg.BoolOpt("service_metadata_proxy", default=True, help="Kept for Nova's configuration files: metadata is always served so."),
    cfg.StrOpt("auth_url", default="", help="Keystone's URL, for a real Neutron. Empty: our own network service is used."),
    cfg.StrOpt("auth_type", default="password", help="How to authenticate to Keystone; only `password` is built."),
    cfg.StrOpt("username", default="neutron", help="User of the service account."),
    cfg.StrOpt("password", default="", secret=True, help="Its password."),
    cfg.StrOpt("project_name", default="service", help="Its project."),
    cfg.StrOpt("user_domain_name", default="Default", help="Domain of the user."),
    cfg.StrOpt("project_domain_name", default="Default", help="Domain of the project."),
    cfg.StrOpt("region_name", default=None, help="Region of Neutron's endpoint."),
    cfg.StrOpt("endpoint_override", default=None, help="Neutron's URL, instead of the catalog's."),
    cfg.StrOpt("cafile", default=None, help="Certificates to trust."),
    cfg.BoolOpt("insecure", default=False, help="Trust any certificate."),
    cfg.IntOpt("timeout", default=30, min=1, help="Seconds to wait for an answer."),
    cfg.IntOpt("http_retries", default=3, min=0, help="How often to repeat a request which got no answer."),
]
