# make demo: the first experiment, in a fresh clone.  make test: everything.  Both set up .venv first.
# make test STUB=rs-parity: one stub.  The same for lint, mutants and ends.
PYTHON ?= python3
STUB ?=
PY := .venv/bin/python
ONE := $(if $(STUB),--stub $(STUB))
export OMP_NUM_THREADS := 1

.PHONY: demo test lint mutants ends docs book site browser lock clean

demo: .venv/ready
	$(PY) -m tools run nbb-xor --seed 0

test: .venv/ready lint $(if $(STUB),,browser)
	$(PY) -m pytest -n auto $(if $(STUB),$(STUB) tests $(ONE))

lint: .venv/ready
	$(PY) -m ruff check $(or $(STUB),.)
	$(PY) -m ruff format --check $(or $(STUB),.)

# Small deliberate faults in the stubs: their own tests have to catch every one.
mutants: .venv/ready
	$(PY) -m tools mutants $(STUB)

# Quick runs with each setting at each of its ends.  It takes minutes a stub.
ends: .venv/ready
	$(PY) -m pytest -n auto -m ends tests/test_contract.py $(ONE)

docs: .venv/ready
	$(PY) -m tools docs

book: .venv/ready
	$(PY) -m tools book

# The site in book/html, and all that its tests ask of it. URL: where it will stand.
site: .venv/ready browser
	$(PY) -m pytest tests/test_book.py tests/test_site.py tests/test_live.py --site book $(if $(URL),--site-url $(URL))

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
