"""openrc and clouds.yaml, for the stock clients."""

from __future__ import annotations

from pathlib import Path

from devstack.settings import Settings

USERS = (("admin", "admin"), ("demo", "demo"))   # user, project


def write(settings: Settings, state: Path) -> None:
    """Write DIR/openrc (the user demo), DIR/openrc-admin and DIR/clouds.yaml (clouds novalike and novalike-admin)."""
    passwords = {"admin": settings.admin_password, "demo": settings.demo_password}
    clouds = ["clouds:"]
    for user, project in USERS:
        name = "novalike" if user == "demo" else f"novalike-{user}"
        values = {
            "OS_AUTH_URL": settings.auth_url, "OS_USERNAME": user, "OS_PASSWORD": passwords[user], "OS_PROJECT_NAME": project,
            "OS_USER_DOMAIN_ID": "default", "OS_PROJECT_DOMAIN_ID": "default", "OS_IDENTITY_API_VERSION": "3", "OS_REGION_NAME": "RegionOne",
        }
        _secret(state / ("openrc" if user == "demo" else f"openrc-{user}"), "".join(f"export {k}='{v}'\n" for k, v in values.items()))
        clouds += [
            f"  {name}:", "    region_name: RegionOne", "    identity_api_version: 3", "    auth:", f"      auth_url: {settings.auth_url}",
            f"      username: {user}", f"      password: '{passwords[user]}'", f"      project_name: {project}",
            "      user_domain_id: default", "      project_domain_id: default",
        ]
    _secret(state / "clouds.yaml", "\n".join(clouds) + "\n")


def _secret(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text)
