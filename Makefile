# make fly     installs what flying needs into .venv, then flies three forests through the ROS 2 graph
# make test    installs the test tools too, then runs every check that CI runs
# make develop installs everything, PyTorch for training too, and runs nothing
# make docs    builds the documentation site into site/
# make browser installs Playwright and Chromium, with which make test checks the pages of flights
#
# PYTHON=/path/to/python3.11  the interpreter for .venv (3.10, 3.11 or 3.12; default: the first found)
# TORCH_INDEX=URL             take PyTorch from this index, such as PyTorch's own for CPUs (default:
#                             what pip finds by its own settings, checked against requirements/)
# PYTEST_ARGS='-m unit -x'    passed on to pytest
# FLY_ARGS='--seed 7'         passed on to liquid-control fly

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory

PYTHON ?=
TORCH_INDEX ?=
PYTEST_ARGS ?=
FLY_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
DONE := $(VENV)/done
# -qq keeps errors and drops warnings. Without isolation, what comes as source is built with the
# pinned setuptools of flight.txt; pip would fetch another one, and check no hash of it.
PIP := $(BIN)/python -m pip -qq --no-input --disable-pip-version-check install
LOCKED := $(PIP) --require-hashes --no-deps --no-build-isolation
# What only development needs is compiled to bytecode when it is imported: most of it never is.
DEVELOPED := $(LOCKED) --no-compile
PY_VERSION = $$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')

# The locks to install from, written down when .venv is made: where a ROS 2 is sourced, its own rclpy
# is used; its compiled messages fix the major version of NumPy. Elsewhere rclpy comes as wheels, which
# third parties build, not the ROS project: hence exact versions and hashes.
LOCKS = $$(cat $(DONE)/locks)

.PHONY: help fly test develop docs browser lint format colcon lock clean
.DELETE_ON_ERROR:

help:
	@sed -n 's/^# \(.*\)/\1/p;/^$$/q' Makefile
	@echo "make lint, make format, make colcon, make lock, make clean: see CONTRIBUTING.md"

fly: $(DONE)/package
	@$(BIN)/liquid-control doctor
	@$(BIN)/liquid-control fly --campaign config/campaigns/first_flight.yaml $(FLY_ARGS)

develop: $(DONE)/package $(DONE)/mavlink $(DONE)/test $(DONE)/torch

test: develop $(if $(PYTEST_ARGS),lint)
	@echo "$(if $(PYTEST_ARGS),,lint and )tests"
	@$(BIN)/python $(if $(PYTEST_ARGS),-m pytest $(PYTEST_ARGS),test/run_all.py)

# Strict: a broken link or reference fails. mkdocs counts no warnings with --quiet, hence grep.
# Nothing is downloaded while the site is built or read.
docs: $(DONE)/package $(DONE)/docs
	@echo "building the documentation (about 20 s)"
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict 2>&1 | { grep -v '^INFO' || true; }
	@$(BIN)/python docs/check_site.py site

browser: $(DONE)/test $(DONE)/browser

lint: $(DONE)/package $(DONE)/mavlink $(DONE)/test $(DONE)/torch
	@echo "ruff, mypy, import-linter"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy --no-error-summary
	@report=$$($(BIN)/lint-imports --no-logo 2>&1) || { echo "$$report"; exit 1; }

format: $(DONE)/test
	@$(BIN)/ruff check --quiet --fix . && $(BIN)/ruff format --quiet .

colcon: $(DONE)/package $(DONE)/test
	@$(BIN)/python -m pytest test/ros/test_colcon.py

lock: build/lock/venv/bin/uv
	@build/lock/venv/bin/python requirements/lock.py $(ONLY)

clean:
	rm -rf $(VENV) build site install log .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find liquid_control sim benchmarks test docs examples launch requirements -name __pycache__ -prune -exec rm -rf {} +

# What is installed, one stamp each; nothing is installed again until its lock changes.

$(DONE)/locks:
	@python=$$(sh requirements/find-python.sh "$(PYTHON)") || exit 1; \
	locks=requirements; options=; \
	if [ -n "$${ROS_DISTRO:-}" ] && [ -n "$${AMENT_PREFIX_PATH:-}" ]; then \
		if numpy=$$("$$python" -c 'import rclpy, numpy; print(numpy.__version__.split(".")[0])' 2>/dev/null); then \
			echo "ROS 2 $$ROS_DISTRO is sourced: its rclpy is used"; \
			options=--system-site-packages; [ "$$numpy" != 1 ] || locks=requirements/numpy1; \
		else \
			echo "ROS 2 $$ROS_DISTRO is sourced, but $$python cannot import its rclpy: wheels are installed"; \
		fi; \
	fi; \
	echo "making $(VENV) with $$("$$python" --version)"; \
	"$$python" -m venv $$options $(VENV); \
	mkdir -p $(DONE); rm -f $(DONE)/*; \
	[ -z "$$options" ] || touch $(DONE)/ros-is-sourced; \
	echo $$locks >$@

$(DONE)/flight: requirements/flight.txt requirements/numpy1/flight.txt | $(DONE)/locks
	@echo "installing flight packages (about 1 min)"
	@$(LOCKED) -r $(LOCKS)/flight.txt
	@touch $@

# Where there is no wheel it is compiled here.
$(DONE)/pybullet: requirements/pybullet.txt $(DONE)/flight
	@case $(PY_VERSION)-$$(uname -m) in \
		3.10-x86_64 | 3.11-x86_64) echo "installing pybullet" ;; \
		*) echo "building pybullet, which has no wheel for this Python (about 5 min, once; needs g++)" ;; \
	esac
	@$(LOCKED) -r requirements/pybullet.txt
	@touch $@

$(DONE)/ros: requirements/ros.txt $(DONE)/flight
	@if [ -f $(DONE)/ros-is-sourced ]; then \
		$(BIN)/python -c 'import rclpy' || { echo "$(VENV) uses the ROS 2 that was sourced when it was made: source it, or make clean" >&2; exit 1; }; \
	else \
		echo "installing rclpy (about 30 s)"; \
		$(LOCKED) -r requirements/ros.txt; \
		$(BIN)/python -c 'import rclpy' || { echo "rclpy has wheels for x86-64 only: source a ROS 2, then make clean" >&2; exit 1; }; \
	fi
	@touch $@

$(DONE)/mavlink: requirements/mavlink.txt $(DONE)/flight
	@echo "installing pymavlink"
	@$(DEVELOPED) -r requirements/mavlink.txt
	@touch $@

$(DONE)/package: setup.py setup.cfg liquid_control/__init__.py $(DONE)/flight $(DONE)/pybullet $(DONE)/ros
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(DONE)/test: requirements/test.txt requirements/numpy1/test.txt $(DONE)/flight
	@echo "installing test packages (about 1 min)"
	@$(DEVELOPED) -r $(LOCKS)/test.txt
	@touch $@

$(DONE)/docs: requirements/docs.txt $(DONE)/flight
	@echo "installing documentation packages (about 15 s)"
	@$(DEVELOPED) -r requirements/docs.txt
	@touch $@

# A chromium that is installed is used; elsewhere Playwright downloads one.
$(DONE)/browser: requirements/browser.txt $(DONE)/flight
	@echo "installing Playwright"
	@$(LOCKED) -r requirements/browser.txt
	@command -v chromium chromium-browser google-chrome >/dev/null || $(BIN)/playwright install chromium
	@touch $@

# PyTorch without CUDA is a tenth of the size, so it is taken where pip's settings lead to it. The
# registry's own build for x86-64 Linux cannot even be imported without the CUDA libraries.
$(DONE)/torch: requirements/torch-cpu.txt requirements/torch.txt requirements/torch-cuda.txt $(DONE)/test
	@if [ -n "$(TORCH_INDEX)" ]; then \
		echo "installing PyTorch from $(TORCH_INDEX)"; \
		$(PIP) --no-compile --no-deps --index-url "$(TORCH_INDEX)" "$$(grep -o '^torch==[^ ]*' requirements/torch.txt)"; \
	elif $(DEVELOPED) -r requirements/torch-cpu.txt 2>/dev/null; then \
		echo "installed PyTorch without CUDA"; \
	else \
		echo "installing PyTorch with CUDA, several GB (TORCH_INDEX=URL takes another build)"; \
		$(DEVELOPED) -r requirements/torch.txt; \
		$(BIN)/python -c 'import torch' 2>/dev/null || $(LOCKED) -r requirements/torch-cuda.txt; \
	fi
	@$(BIN)/python -c 'import torch'
	@touch $@

build/lock/venv/bin/uv:
	@python=$$(sh requirements/find-python.sh "$(PYTHON)"); "$$python" -m venv build/lock/venv
	@build/lock/venv/bin/python -m pip -qq install 'setuptools<80' uv==0.13.9
