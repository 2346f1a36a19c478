# make demo: the first experiment, in a fresh clone.  make test: everything.  Both set up .venv first.
PYTHON ?= python3
PY := .venv/bin/python
export OMP_NUM_THREADS := 1

.PHONY: demo test lint mutants docs book browser lock clean

demo: .venv/ready
	$(PY) -m tools run flip-flop --seed 0

test: .venv/ready browser lint
	$(PY) -m pytest -n auto --dist worksteal

lint: .venv/ready
	$(PY) -m ruff check .

# Small deliberate faults in the finished stubs: their tests have to catch every one.
mutants: .venv/ready
	$(PY) tests/mutants.py

docs: .venv/ready
	$(PY) -m tools docs

book: .venv/ready
	$(PY) -m tools book

# What pip cannot install: Chromium for the browser test, Nix to parse the flake. Their tests skip, by name, without.
browser:
	@if command -v chromium >/dev/null && command -v nix-instantiate >/dev/null; then :; \
	elif command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium nix-bin >/dev/null; \
	else echo "no Chromium or no Nix here, and no root to install them: their tests will be skipped"; fi

.venv/ready: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; try for example: make demo PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

# After a change of the dependencies in pyproject.toml.
lock: .venv/ready
	.venv/bin/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-emit-index-url --quiet --output-file requirements.lock

clean:
	rm -rf .venv book
