#!/bin/sh
# Print the Python that .venv is made from: find-python.sh [PYTHON]
#
# Without an argument, the first that works of: the one a sourced ROS runs on, then python3.11 and
# python3.10 (pybullet has wheels for these), python3.12, python3. Every failure is one line.
supported='import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))'

works() { # an interpreter can be there by name only, and an old one lacks what pip needs
    command -v "$1" >/dev/null 2>&1 && "$1" -c "$supported" >/dev/null 2>&1
}

version() {
    "$1" -c 'import platform; print(platform.python_version())' 2>/dev/null || echo "not found"
}

if [ -n "$1" ]; then
    found=$1
    works "$found" || {
        echo "expected Python 3.10, 3.11 or 3.12, got PYTHON=$1 ($(version "$1"))" >&2
        exit 1
    }
else
    order="python3.11 python3.10 python3.12 python3"
    [ -z "$ROS_DISTRO" ] || order="python3 $order"
    for candidate in $order; do
        works "$candidate" && found=$candidate && break
    done
    [ -n "$found" ] || {
        echo "expected Python 3.10, 3.11 or 3.12, found none (python3: $(version python3)):" \
            "install one, or name it with PYTHON=/path/to/python3.11" >&2
        exit 1
    }
fi

"$found" -c 'import venv, ensurepip' 2>/dev/null || {
    echo "$found ($(version "$found")) cannot make virtual environments: on Debian and Ubuntu," \
        "apt install python$(version "$found" | cut -d. -f1,2)-venv" >&2
    exit 1
}
command -v "$found"
