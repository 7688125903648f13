# Sourced by the commands of devstack/: installs what is missing, quickly when nothing is.
#
# Sets TOP (the checkout), VENV and PATH. Packages are listed in devstack/packages.txt; Python's in pyproject.toml, installed
# into .venv, again whenever pyproject.toml or setup.cfg changed. Never starts the services which packages would start.
set -euo pipefail
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV=$TOP/.venv
export PATH=$VENV/bin:/usr/sbin:/sbin:$PATH PYTHONPATH=$TOP${PYTHONPATH:+:$PYTHONPATH}

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }

bootstrap_packages() {
    local wanted missing="" package begun=$SECONDS
    wanted=$(sed 's/#.*//' "$TOP/devstack/packages.txt" | tr -s ' \n' '  ')
    for package in $wanted; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
    done
    [ -z "$missing" ] && return 0
    if [ "$(id -u)" != 0 ]; then
        echo "missing Debian packages:$missing; run this as root, or install them" >&2; exit 1
    fi
    say "installing Debian packages:$missing"
    # Packages shall not start their daemons: devstack runs its own, in its own directories and on its own ports.
    local policy=/usr/sbin/policy-rc.d made=""
    [ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' > $policy; chmod +x $policy; made=1; }
    { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $missing; } > "$TOP/.cache/apt.log" 2>&1 ||
        { [ -z "$made" ] || rm -f $policy; tail -20 "$TOP/.cache/apt.log" >&2; echo "apt-get failed, see .cache/apt.log" >&2; exit 1; }
    [ -z "$made" ] || rm -f $policy
    say "Debian packages installed ($((SECONDS - begun)) s)"
}

bootstrap_python() {
    local begun=$SECONDS python stamp
    python=$(for p in python3.11 python3.12 python3 /usr/bin/python3; do
        "$p" -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null && command -v "$p" && break; done || true)
    [ -n "$python" ] || { echo "Python 3.11 or 3.12 is needed" >&2; exit 1; }
    stamp=$(cat "$TOP/pyproject.toml" "$TOP/setup.cfg" | sha256sum | cut -c1-32)
    [ "$(cat "$VENV/.stamp" 2>/dev/null)" = "$stamp" ] && return 0
    say "installing Python packages into .venv"
    [ -x "$VENV/bin/python" ] || "$python" -m venv "$VENV"
    { bootstrap_uv || bootstrap_pip; } > "$TOP/.cache/pip.log" 2>&1 ||
        { tail -20 "$TOP/.cache/pip.log" >&2; echo "installing Python packages failed, see .cache/pip.log" >&2; exit 1; }
    echo "$stamp" > "$VENV/.stamp"
    say "Python packages installed ($((SECONDS - begun)) s)"
}

# uv resolves and installs in a quarter of pip's time; where it cannot (a proxy or index that only pip is set up for), pip does.
bootstrap_uv() {
    "$VENV/bin/python" -m pip install -q --disable-pip-version-check "uv>=0.9,<1" &&
        UV_NO_CONFIG=1 "$VENV/bin/uv" pip install -q --native-tls --python "$VENV/bin/python" -e "$TOP[test,postgresql]"
}

bootstrap_pip() {
    "$VENV/bin/python" -m pip install -q --disable-pip-version-check -e "$TOP[test,postgresql]"
}

mkdir -p "$TOP/.cache"
bootstrap_packages
bootstrap_python
