# Sourced by the commands of devstack/, which then call `bootstrap SET...`: installs what is missing, quickly when nothing is.
#
# Sets TOP (the checkout), VENV and PATH. Debian's packages are listed in sets in devstack/packages.txt, Python's in pyproject.toml;
# these go into .venv, again whenever pyproject.toml or setup.cfg changed. Services which come with packages stay off.
set -euo pipefail
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV=$TOP/.venv
export PATH=$VENV/bin:/usr/local/sbin:/usr/sbin:/sbin:$PATH PYTHONPATH=$TOP${PYTHONPATH:+:$PYTHONPATH}

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }

# Make sure that .venv and the named sets of packages are there; with the set `image`, the small guest image too.
# A second command which comes meanwhile waits for the first.
bootstrap() {
    local one image="" sets=()
    for one in "$@"; do [ "$one" = image ] && image=1 || sets+=("$one"); done
    mkdir -p "$TOP/.cache"
    {
        flock -n 9 || { say "waiting for another command which installs"; flock 9; }
        bootstrap_all 9>&-
    } 9> "$TOP/.cache/bootstrap.lock"
}

bootstrap_all() {
    local python_job=""
    if ! bootstrap_python_is_fresh; then
        bootstrap_packages python
        set -m                                   # a process group of its own, to be ended as a whole
        bootstrap_python &                       # compiles libvirt-python for a while; packages and image do not wait for it
        python_job=$!
        set +m
        trap "kill -- -$python_job 2>/dev/null || true" EXIT
    fi
    bootstrap_packages "${sets[@]}"
    # A failure here is not the end: the demo builds it once more, and tells what is wrong.
    if [ -n "$image" ] && [ -n "$python_job" ]; then bootstrap_image || true; fi
    [ -z "$python_job" ] || { wait "$python_job" || exit 1; trap - EXIT; }
}

bootstrap_image() {
    local begun=$SECONDS
    say "building the small guest image"
    "$(bootstrap_find_python)" -m devstack.guest_image &> "$TOP/.cache/image.log" && say "small guest image built ($((SECONDS - begun)) s)"
}

# The sets which a shape that the words of a command line ask for needs.
bootstrap_shape() { case " $* " in *[\ =]single\ *) echo single ;; *[\ =]dropin\ *) echo single dropin ;; esac; }

# ---- Debian packages ----------------------------------------------------------

bootstrap_packages() {                           # bootstrap_packages SET...: install what these sets lack
    local wanted missing begun=$SECONDS
    wanted=$(awk -v sets=" $* " '{ sub(/#.*/, "") } /^\[/ { name = substr($1, 2, length($1) - 2); next } NF && index(sets, " " name " ") { print $1 }' \
        "$TOP/devstack/packages.txt")
    missing=$(comm -23 <(sort <<< "$wanted") <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null | sed -n 's/^installed //p' | sort) | xargs)
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        echo "missing Debian packages: $missing; run this as root, or install them" >&2; exit 1
    fi
    say "installing Debian packages: $missing"
    bootstrap_install $missing >> "$TOP/.cache/apt.log" 2>&1 ||
        { tail -20 "$TOP/.cache/apt.log" >&2; echo "apt-get failed, see .cache/apt.log" >&2; exit 1; }
    say "Debian packages installed ($((SECONDS - begun)) s)"
}

# Packages shall not start their daemons, now or when the machine starts again: devstack runs its own, in its own directories
# and on its own ports. (A subshell, so that its trap takes the policy away however this ends.)
bootstrap_install() (
    local policy=/usr/sbin/policy-rc.d before
    echo "---- $(date): $*"
    if [ ! -e $policy ]; then
        trap 'rm -f $policy' EXIT
        printf '#!/bin/sh\nexit 101\n' > $policy; chmod +x $policy
    fi
    before=$(bootstrap_enabled)
    DEBIAN_FRONTEND=noninteractive dpkg --configure -a || true       # an installation which was interrupted; else it does nothing
    # Lists of the last day may do. Where a package moved on since, they do not, and are fetched after all.
    { bootstrap_has_lists && bootstrap_apt "$@"; } ||
        { bootstrap_update && bootstrap_apt "$@"; } || exit 1
    comm -13 <(echo "$before") <(bootstrap_enabled) | grep -E '^(libvirt|virtlo|mariadb|rabbitmq-server|epmd|postgresql|openvswitch|ovs-)' | while read -r unit; do
        ! command -v systemctl > /dev/null || systemctl disable "$unit" || true
    done || true
)

bootstrap_apt() {                                # a machine which just came up may be installing updates: wait for it
    DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install -y --no-install-recommends "$@"
}

bootstrap_has_lists() {                          # the folder tells when: the files have the archive's dates
    [ -n "$(find /var/lib/apt/lists/partial -maxdepth 0 -mtime -1 2>/dev/null)" ] && [ -n "$(find /var/lib/apt/lists -name '*_Packages*' 2>/dev/null)" ]
}

bootstrap_update() { apt-get -q update || { sleep 15; apt-get -q update; }; }

bootstrap_enabled() { find /etc/systemd/system -path '*.wants/*' -printf '%f\n' 2>/dev/null | sort -u; }

# ---- Python packages ----------------------------------------------------------

bootstrap_find_python() {
    local one
    for one in python3.11 python3.12 python3 /usr/bin/python3; do
        if "$one" -c 'import sys, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null; then command -v "$one"; return; fi
    done
    echo "Python 3.11 or 3.12 is needed" >&2; return 1
}

bootstrap_stamp() { cat "$TOP/pyproject.toml" "$TOP/setup.cfg" | sha256sum | cut -c1-32; }

bootstrap_python_is_fresh() { [ "$(cat "$VENV/.stamp" 2>/dev/null)" = "$(bootstrap_stamp)" ]; }

bootstrap_python() {
    local begun=$SECONDS python
    python=$(bootstrap_find_python) || exit 1
    say "installing Python packages into .venv"
    {
        { [ -x "$VENV/bin/python" ] || "$python" -m venv "$VENV"; } && { bootstrap_uv || bootstrap_pip; } &&
            { "$VENV/bin/python" -m compileall -q "$TOP/novalike" || true; }
    } > "$TOP/.cache/pip.log" 2>&1 ||
        { tail -20 "$TOP/.cache/pip.log" >&2; echo "installing Python packages failed, see .cache/pip.log" >&2; exit 1; }
    bootstrap_stamp > "$VENV/.stamp"
    say "Python packages installed ($((SECONDS - begun)) s)"
}

# uv resolves and installs in a quarter of pip's time; where it cannot (a proxy or index that only pip is set up for), pip does.
# Either compiles what it installs: the first start of the cloud would take 2 s more, and each one where byte code is not kept.
bootstrap_uv() {
    "$VENV/bin/python" -m pip install -q --disable-pip-version-check "uv>=0.13,<1" &&
        UV_NO_CONFIG=1 "$VENV/bin/uv" pip install -q --system-certs --compile-bytecode --python "$VENV/bin/python" -e "$TOP[test,postgresql]"
}

bootstrap_pip() {
    "$VENV/bin/python" -m pip install -q --disable-pip-version-check -e "$TOP[test,postgresql]"
}
