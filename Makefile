# The two that a newcomer needs: `make run` and `make test`.
VERSIONS := 3.14 3.13 3.12 3.11
SUPPORTED := import sys; sys.exit("%d.%d" % sys.version_info[:2] not in "$(VERSIONS)".split())
TOO_OLD := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(firstword $(shell for p in python3 $(VERSIONS:%=python%); do \
            $$p -c '$(SUPPORTED)' 2>/dev/null && echo $$p; done) python3)
PORT   ?= 8501
HOST   := $(or $(PETROL_HOST),127.0.0.1)
BIN    := .venv/bin
UV     := $(BIN)/uv
TABLE  ?=
WITH_TABLE := $(if $(TABLE),PETROL_TABLE="$(abspath $(TABLE))")

export PYTHONDONTWRITEBYTECODE :=  # or each of a hundred processes of the tests would compile the project anew

.PHONY: help run table test test-fast lint format train lock bench bench-scale bench-statistics soak screenshots docker scale secrets audit clean

help:  ## show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: .venv/app  ## start the app on http://localhost:8501 (PORT=... for another; TABLE=folder for another table)
	PETROL_HOST=$(HOST) PORT=$(PORT) $(WITH_TABLE) $(BIN)/python server.py

table: .venv/app  ## draft a table from FILE=cars.csv that predicts TARGET=mpg, and start the app on it (NAMES=model)
	$(BIN)/python -m data describe "$(FILE)" --target "$(TARGET)" $(if $(NAMES),--names "$(NAMES)") --to "$(basename $(FILE))"
	$(MAKE) run TABLE="$(basename $(FILE))"

test: .venv/dev lint  ## everything: style, unit tests, browser tests; what a store has a part in on PostgreSQL, too
	$(BIN)/python -m tests

test-fast: .venv/dev  ## what is quick, in half a minute
	$(BIN)/python -m pytest -n 2 -m "not browser and not slow and not soak"

lint: .venv/dev  ## style, types, JavaScript, and the workflow of GitHub
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy data model pages web server.py streamlit_app.py
	$(BIN)/oxlint --config .oxlintrc.json pages
	$(BIN)/zizmor --offline --quiet --strict-collection .github/workflows/*.yml

format: .venv/dev  ## put the code in shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

train: .venv/app  ## train the default model again and keep it (TABLE=folder)
	$(WITH_TABLE) $(BIN)/python -m model train

bench: .venv/dev  ## measure speed and memory, also beside an earlier commit
	$(BIN)/python -m tests.chromium
	$(BIN)/python -m bench
	$(BIN)/python -m bench.progress

bench-statistics: .venv/dev  ## what intervals hold where the truth is known
	$(BIN)/python -m bench.statistics
	$(BIN)/python -m bench.changes

bench-scale: .venv/dev  ## measure what growth costs: Dask workers, replicas and visitors, rows up to a million
	$(BIN)/python -m tests.programs
	$(BIN)/python -m bench.scale

soak: .venv/dev  ## what it must survive: kills, full disks, hostile files, a crowd (fifty minutes)
	$(BIN)/python -m tests.programs
	$(BIN)/python -m bench.soak

screenshots: .venv/dev  ## take the README's pictures again
	$(BIN)/python -m tests.chromium
	$(BIN)/python -m tests.screenshots

lock: .venv/dev  ## compile the locks from pyproject.toml, and see that each Python and system has a wheel of everything
	$(BIN)/python -m pip install --quiet uv
	$(UV) pip compile --no-config --quiet --universal --generate-hashes --no-build --no-annotate --python-version 3.11 \
	  --custom-compile-command "make lock" pyproject.toml -o requirements.txt
	$(UV) pip compile --quiet --universal --generate-hashes --no-build --no-annotate --python-version 3.11 \
	  --custom-compile-command "make lock" -c requirements.txt --extra scale pyproject.toml -o requirements-scale.txt
	$(UV) pip compile --quiet --universal --generate-hashes --no-build --no-annotate --python-version 3.11 \
	  --custom-compile-command "make lock" -c requirements-scale.txt --extra scale --group dev pyproject.toml \
	  -o requirements-dev.txt
	@for version in $(VERSIONS); do for system in linux windows macos; do \
	  echo "wheels for Python $$version on $$system"; \
	  $(UV) pip compile --quiet --no-build --no-deps --python-version $$version --python-platform $$system \
	    requirements-dev.txt -o .venv/wheels.txt >/dev/null || exit 1; done; done

docker:  ## build and run the container with your own engine
	docker build -t petrol .
	docker run --rm -p 127.0.0.1:$(PORT):8501 -v petrol:/data petrol

scale: secrets  ## run two replicas, PostgreSQL and a Dask cluster with your own engine, on http://localhost:8080
	docker compose -f compose.scale.yaml up --build

secrets:  ## write those that compose.scale.yaml wants into .env, where it has none yet
	@umask 077; for name in PETROL_DATABASE_PASSWORD PETROL_COOKIE_SECRET; do \
	  grep -qs "^$$name=." .env || echo "$$name=$$(od -An -tx1 -N32 /dev/urandom | tr -d ' \n')" >> .env; done

audit: .venv/app  ## report known flaws of the locked versions, where their list can be reached
	$(PYTHON) -m venv .venv/audit
	.venv/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit
	timeout 120 .venv/audit/bin/pip-audit --requirement requirements.txt --require-hashes --disable-pip --timeout 10

clean:  ## remove the environment and caches
	rm -rf .venv .pytest_cache .ruff_cache .mypy_cache

.venv/python:
	@$(PYTHON) -c '$(TOO_OLD)' || { echo "Python 3.11 to 3.14 is needed and was not found. \
Install one, or name it: make PYTHON=/path/to/python3.12 run"; exit 1; }
	@$(PYTHON) -c '$(SUPPORTED)' || echo "Warning: $$($(PYTHON) --version) is newer than what this app is tested with \
(3.11 to 3.14). If a package cannot be installed, name an older one: make PYTHON=/path/to/python3.14 run"
	$(PYTHON) -m venv .venv
	@touch $@

.venv/app: .venv/python requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements.txt
	@touch $@

.venv/dev: .venv/app requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements-dev.txt
	@touch $@
