#!/bin/sh
# Installs what flying needs, and nothing else, into a virtual environment beside a sourced ROS 2.
#
#   sh deploy/install-flight.sh /opt/liquid_control/venv
#   PYTHON=python3.11 ISOLATED=--clear sh deploy/install-flight.sh venv     # without ROS
#
# Without compiled caches and without the MAVLink dialects that are not used it takes 374 MB
# (docs/results.md). PyTorch and PyBullet are not installed.
set -eu
venv=${1:?usage: sh deploy/install-flight.sh VENV}
root=$(cd "$(dirname "$0")/.." && pwd)
"${PYTHON:-python3}" -m venv ${ISOLATED:-"--system-site-packages"} "$venv"
"$venv/bin/python" -m pip install --disable-pip-version-check --no-compile "$root[mavlink]"
dialects=$("$venv/bin/python" -B -c 'import os, pymavlink; print(os.path.dirname(pymavlink.__file__))')/dialects
find "$dialects" -type f -name '*.py' \
    ! -path '*/v20/common.py' ! -path '*/v20/minimal.py' ! -path '*/v20/standard.py' \
    ! -path '*/v20/ardupilotmega.py' ! -name __init__.py -delete
find "$venv" -type d -name __pycache__ -prune -exec rm -rf {} +
# A zstandard that was built here, not installed as a wheel, has 18 MB of debug symbols.
! command -v strip >/dev/null || find "$venv" -path '*/zstandard/*.so' -exec strip --strip-debug {} +
"$venv/bin/python" -B -c 'from liquid_control.policy import load_model; from pymavlink.dialects.v20 import common'
du -sm "$venv"
