# Everything a newcomer runs. Needs python3 (3.11 or later) with venv, and GNU make; nothing else to run,
# and node only for the proto linter of `make check`.

SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The exact versions this tree was tested with. pip's own settings (indexes, caches) are left as they are.
INSTALL := $(BIN)/python -m pip install -qq --constraint constraints.txt
BUF := @bufbuild/buf@1.75.0

# Tests run in so many processes, each file in one of them: most wait for servers that they started. 0 is this one.
WORKERS ?= 2
SIDE_BY_SIDE := -n $(WORKERS) --dist loadfile

# Two cores are the usual machine here: OpenMP threads that spin while they wait would slow each other down.
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: help demo finetune-demo test clients-test check format serve proto clean

help:
	@echo "make demo    speak: a server, three voices, out/*.wav, a table"
	@echo "make finetune-demo  a voice that tiny never heard, learned from five minutes of it (wants festival)"
	@echo "make test    all tests"
	@echo "make clients-test  what runs of the clients for Unity, Unreal, Godot, browsers, C++ and Python"
	@echo "make check   format, lint, types, arrows, proto, licences"
	@echo "make serve   run the service in the foreground"
	@echo "make proto   generate kani_npc/v1 and the clients' messages from proto/"

# One stamp per set of packages, so that a demo does not install what only tests need.
$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(INSTALL) --editable '.[plot]'
	@touch $@

$(VENV)/dev.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(INSTALL) --editable '.[dev]'
	@# Comes as source. Without a C compiler the tests of the training corpus are skipped, and say so.
	@$(INSTALL) pyworld 'setuptools<81' 2>/dev/null || echo "pyworld: not built"
	@touch $@ $(VENV)/run.stamp

$(VENV)/train.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(INSTALL) --editable '.[train]'
	@touch $@ $(VENV)/run.stamp

demo: $(VENV)/run.stamp
	$(BIN)/python -m tools.demo --out out

# Needs festival and festvox-kdlpc16k, which it does not install, and a C compiler.
finetune-demo: $(VENV)/train.stamp
	$(BIN)/python -m finetune.demo --out out/finetune

test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) $(TESTS)

# Part of `make test` too. Needs mono-mcs, nunit-console, g++, libcurl's and grpc++'s headers, cmake, godot3-server and Chromium, or
# skips what needs them.
clients-test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) tests/clients tests/web tests/test_client.py tests/test_lips.py

check: $(VENV)/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python tools/generate_proto.py --check
	$(BIN)/python -m tools.protoc_gen_kani.generate --check
	$(BIN)/python -m tools.generate_web --check
	$(BIN)/python tools/unity_meta.py --check
	$(BIN)/python -m benchmarks.readme --check
	@if command -v npx >/dev/null; then echo "buf lint"; npx --yes --quiet $(BUF) lint proto; \
	else echo "buf lint: skipped, node is not installed"; fi
	$(BIN)/python tools/check_licences.py

format: $(VENV)/dev.stamp
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

serve: $(VENV)/run.stamp
	$(BIN)/kani-npc serve $(ARGS)

proto: $(VENV)/dev.stamp
	$(BIN)/python tools/generate_proto.py
	$(BIN)/python -m tools.protoc_gen_kani.generate
	$(BIN)/python -m tools.generate_web
	$(BIN)/python tools/unity_meta.py

clean:
	rm -rf $(VENV) out
