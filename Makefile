# Penstock's tasks. `make demo` shows it at work, `make test` proves it.
CACHE  ?= $(or $(PENSTOCK_CACHE_DIR),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/penstock)
UV     := $(CACHE)/uv/bin/uv
VENV   := .venv
PYTHON := $(VENV)/bin/python
RUN    := $(VENV)/bin/
UV_VERSION := 0.13.8
PYTEST := $(RUN)pytest
export PYTHONPATH := operator:.
export UV_CACHE_DIR ?= $(CACHE)/uv-cache
# Tests start hundreds of processes of Python. Without its cache each would compile every module anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo sam test lint unit simulate fuzz kubectl integration tamper e2e large bench cluster-up cluster-aws cluster-down image crds chart lock clean

demo: $(VENV)/ready cluster-up image  ## everything from nothing: cluster, chart, a run, the served page
	$(PYTHON) -m tests.e2e.demo

sam: $(VENV)/ready cluster-aws image  ## the serverless five-stage pipeline against emulated AWS: stack, rollback, publication
	$(PYTHON) -m tests.e2e.sam_demo

test: lint unit integration e2e  ## all that must hold before a change lands

lint: $(VENV)/ready
	$(RUN)ruff check operator tests
	$(RUN)ruff format --check operator tests
	$(RUN)mypy operator/penstock tests
	$(RUN)lint-imports --no-cache
	$(PYTEST) -q -p no:xdist tests/unit/test_architecture.py tests/unit/test_rules.py

unit: $(VENV)/ready
	$(PYTEST) -n 6 --dist worksteal tests/unit

simulate: $(VENV)/ready  ## a hundred thousand stories of crashes, late events and users; SEED=n tells one again
	MODEL_RUNS=3 SEEDS=$(or $(SEEDS),100000) $(PYTEST) -n auto --timeout 7200 tests/unit/engine/test_simulator.py tests/unit/engine/test_modes.py

fuzz: $(VENV)/ready kubectl  ## every fuzzer of tests/fuzz for its share of FUZZ_S=600 seconds; SEED=n repeats one, FUZZ="lexer cron" chooses
	$(PYTHON) -m tests.fuzz

kubectl:  ## the real one, which the manifests' fuzzer asks; needs no cluster
	python3 -m tests.cluster kubectl

integration: $(VENV)/ready cluster-aws image
	$(PYTEST) -n 3 --dist loadfile -m "not alone" tests/integration
	$(PYTEST) -m alone tests/integration

tamper: $(VENV)/ready cluster-aws image  ## every label, annotation, owner and finalizer of every object changed by hand, at every state
	$(PYTEST) tests/tampering

e2e: $(VENV)/ready cluster-aws image  ## several at once; what fails is run once more, alone; .e2e keeps what the cluster knew
	$(PYTHON) -m tests.e2e

large: $(VENV)/ready cluster-aws image  ## 2 GiB of artifact and of output through an agent of 192 MiB
	LARGE_MIB=2048 $(PYTEST) tests/e2e/test_large.py

bench: $(VENV)/ready cluster-aws image  ## ratios against bare Jobs of the same session; BENCH_OUT=file.json keeps them
	$(PYTHON) -m tests.bench

cluster-up:  ## a real Kubernetes on this machine, idempotent
	python3 -m tests.cluster up

cluster-aws: cluster-up  ## the AWS servers that `make sam` and the tests need beside it
	python3 -m tests.cluster aws

cluster-down:
	python3 -m tests.cluster down

image: cluster-up
	python3 -m tests.cluster image

crds: $(VENV)/ready  ## write crds/ and the chart's copy from the pydantic models
	$(PYTHON) -m penstock.cli.crds

chart: $(VENV)/ready  ## write the chart's values.yaml and README from its schema
	$(PYTHON) -m tests.tools.chart

lock: $(UV)  ## the newest versions that pyproject.toml allows, with hashes and without hosts
	$(UV) pip compile -q --upgrade --generate-hashes --universal --no-emit-index-url --no-header pyproject.toml -o requirements.txt
	$(UV) pip compile -q --upgrade --generate-hashes --universal --no-emit-index-url --no-header pyproject.toml --group dev -o requirements-dev.txt
	for name in ministack moto; do $(UV) pip compile -q --upgrade --generate-hashes --only-binary :all: --python-version 3.11 \
		--no-emit-index-url --no-header tests/cluster/recipes/$$name.in -o tests/cluster/recipes/$$name.txt; done

clean: cluster-down
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(UV):
	python3 -m venv $(CACHE)/uv
	$(CACHE)/uv/bin/pip install -q --disable-pip-version-check uv==$(UV_VERSION)

$(VENV)/ready: requirements-dev.txt $(UV)
	$(UV) venv -q --clear $(VENV)
	$(UV) pip install -q --python $(PYTHON) --require-hashes -r requirements-dev.txt
	echo '$(CURDIR)/operator' > $$($(PYTHON) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/penstock.pth
	printf '#!/bin/sh\nexec "%s" -m penstock.cli "$$@"\n' '$(abspath $(PYTHON))' | tee $(RUN)penstock > $(RUN)kubectl-penstock
	chmod +x $(RUN)penstock $(RUN)kubectl-penstock
	touch $@
