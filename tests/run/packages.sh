#!/bin/sh
# SPDX-License-Identifier: MIT
#
# packages.sh [--install] PACKAGE...
# Succeeds when all packages are installed. With --install, and as root on a
# Debian system, installs what is missing; otherwise prints the command to
# type. On a system without dpkg it trusts that the tools are there.

set -u

install=no
if [ "${1-}" = --install ]; then
    install=yes
    shift
fi

command -v dpkg-query >/dev/null || exit 0

installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" \
    2>/dev/null | sed -n 's/^installed //p')
missing=
for package; do
    case "
$installed
" in
    *"
$package
"*) ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

if [ "$install" = no ] || [ "$(id -u)" -ne 0 ]; then
    echo "These packages are missing. Type:" >&2
    echo "  sudo apt-get install$missing" >&2
    exit 1
fi

get() {
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
        install $missing </dev/null
}

echo "Installing$missing"
# shellcheck disable=SC2086
if ! apt-cache show $missing >/dev/null 2>&1 || ! get; then
    apt-get -qq update && get
fi
