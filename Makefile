# Every target sets up what it needs: `make demo` and `make test` work from a fresh clone.
.DEFAULT_GOAL := help
SHELL := /bin/bash
export UV_PYTHON_DOWNLOADS := never
# once and on all cores, rather than by whatever starts first: a Ray node gives up on an agent that takes 15 s to start
export UV_COMPILE_BYTECODE := 1
# also where the environment says otherwise: hundreds of processes of a test run would each compile all of ours again
export PYTHONDONTWRITEBYTECODE :=

# uv comes from PATH, or from pip into a folder of this checkout; nothing is installed system-wide.
TOOLS := .tools
UV := $(shell command -v uv 2>/dev/null || echo $(TOOLS)/bin/uv)
# Any Python from 3.11 to 3.13; the first that uv finds is taken. VENV is the environment that every target uses.
export UV_PYTHON ?= >=3.11,<3.14
VENV ?= .venv
export UV_PROJECT_ENVIRONMENT := $(VENV)
BIN := $(VENV)/bin
PY := $(BIN)/python
MEMBERS := $(wildcard libs/*/pyproject.toml services/*/pyproject.toml)
PYTEST_ARGS ?=
# of packages, what the environment gets beside their defaults
EXTRAS ?=
# Two processes: most tests wait for a disk or a process rather than for a core. Each starts its own servers, once.
WORKERS ?= 2

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 14

setup: $(VENV)/.synced ## make .venv from the lock (Python 3.11, 3.12 or 3.13 and pip are enough)

$(TOOLS)/bin/uv:
	python3 -m pip install --quiet --disable-pip-version-check --target $(TOOLS) uv

$(VENV)/.synced: uv.lock pyproject.toml $(MEMBERS) | $(filter $(TOOLS)/%,$(UV))
	$(UV) sync --frozen --all-packages --all-groups $(EXTRAS)
	@touch $@

check: setup ## style, types, import rules, generated files, the lock
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy libs/*/src services/*/src
	$(PY) -m headrace.tasks.generate --check
	$(PY) -m headrace.contracts.generate --check
	$(PY) -m headrace.frameworks.generate --check 2> >(grep -v onnxruntime >&2)
	$(UV) lock --check
	$(PY) -m pytest tests/architecture tests/contracts $(PYTEST_ARGS)
	@UV=$(UV) $(PY) infra/audit.py

audit: setup ## known holes in what the lock holds, where the advisory database can be asked
	@UV=$(UV) $(PY) infra/audit.py

# what `make test` leaves to the targets named beside it, so that it stays within minutes
APART := not faults and not second_kind and not models and not resilience and not edge
# their files lie in memory where there is room: most of what they wait for is a disk
test postgres: export TEST_FILES ?= memory
test: setup ## what must hold everywhere: real NATS, real S3, real databases (the four below have the rest)
	$(PY) -m pytest tests -m "$(APART)" -n $(WORKERS) --dist loadgroup $(PYTEST_ARGS)

postgres: setup ## the services' tests once more, on PostgreSQL; `make test` runs one of each module
	$(PY) -m pytest tests/services -m "postgres" -n $(WORKERS) --dist loadgroup $(PYTEST_ARGS)

resilience: setup ## processes killed, servers taken away, releases upgraded, thousands at once
	$(PY) -m pytest tests -m "resilience and not faults and not second_kind" -n $(WORKERS) --dist loadgroup $(PYTEST_ARGS)

edge: setup ## hostile and foreign clients, every identity trying everything, TLS; `make denials` and `make fuzz` do more
	$(PY) -m pytest tests -m "edge and not faults" -n $(WORKERS) --dist loadgroup $(PYTEST_ARGS)

faults: setup ## the whole fault suite, ten minutes and more; writes the table into tests/faults/README.md
	HEADRACE_FAULTS=all HEADRACE_SEEDS=3000 $(PY) -m pytest tests/faults tests/services/trainer/test_resume.py tests/libs/bus/test_simulation.py \
	  tests/services/inference/test_connections.py --timeout 900 $(PYTEST_ARGS)

properties: setup ## every property with twenty times as many made-up examples, new ones in each run
	HEADRACE_EXAMPLES=20 $(PY) -m pytest tests -m "hypothesis and not faults" --timeout 3600 $(PYTEST_ARGS)

denials: setup ## every identity tries everything; writes the counts into tests/denials/README.md
	rm -rf .headrace/denials
	$(PY) -m pytest tests/denials $(PYTEST_ARGS)
	$(PY) tests/denials/tally.py

fuzz: setup ## made-up and hostile requests to every operation (FUZZ=120 cases of a kind); writes tests/fuzz/README.md
	rm -rf .headrace/fuzz
	HEADRACE_FUZZ=$(or $(FUZZ),120) $(PY) -m pytest tests/fuzz $(PYTEST_ARGS)
	$(PY) tests/fuzz/tally.py

# what needs no server: quick, and enough to see whether another Python reads and decides as this one
PURE := tests/contracts tests/libs/contracts tests/libs/frameworks tests/libs/tlog tests/libs/faults \
  $(wildcard tests/services/*/test_domain.py) tests/services/deployer/test_rollout.py tests/services/monitor/test_detectors.py
pure: setup ## the tests that need no server
	$(PY) -m pytest $(PURE) -m "not faults and not second_kind" $(PYTEST_ARGS)

# beside the default ones, libraries that no default install has; `make VENV=.headrace/frameworks schemas` writes the
# catalogue of their estimators
FRAMEWORKS := tests/libs/frameworks tests/libs/runtimes tests/libs/pmml tests/libs/contracts/test_estimators.py \
  tests/journeys/test_frameworks.py tests/services/trainer/test_format_xgboost.py
frameworks: ## every framework, runtime and PMML, also those that are extras (XGBoost, CatBoost, torch), in an environment of its own
	@$(MAKE) --no-print-directory VENV=.headrace/frameworks EXTRAS="--extra xgboost --extra catboost --extra torch" frameworks-here

frameworks-here: setup
	$(PY) -m headrace.frameworks.generate --check 2> >(grep -v onnxruntime >&2)
	$(PY) -m pytest $(FRAMEWORKS) -n $(WORKERS) --dist loadgroup $(PYTEST_ARGS)

newest: ## pure tests and demo on the newest Python of this machine, in an environment of its own
	@for version in 3.13 3.12 3.11; do for python in python$$version $$HOME/.pyenv/versions/$$version.*/bin/python; do \
	  $$python -c 'import ssl' 2>/dev/null && found=$$($$python -c 'import sys; print(sys.executable)') && break 2; done; done; \
	  echo "the newest here is $$found"; \
	  $(MAKE) --no-print-directory VENV=.headrace/newest UV_PYTHON=$$found pure demo

demo: setup ## the main job: from a CSV to a served, watched and audited model
	$(BIN)/headrace demo

bench: setup ## our figures beside those of the peers (BENCH=name for one, PEERS=0 for ours alone)
	PEERS=$(or $(PEERS),1) $(PY) tests/benchmarks/run.py $(BENCH)

schemas: setup ## write again all that is generated from schemas/, and the catalogues of options and estimators
	$(PY) -m headrace.tasks.generate
	$(PY) -m headrace.contracts.generate
	$(PY) -m headrace.frameworks.generate 2> >(grep -v onnxruntime >&2)

minio: setup ## build the real MinIO server from its source, once (needs Go)
	$(PY) -m headrace.local.minio

k8s: setup ## render the Kubernetes manifests of every overlay into .headrace/k8s
	@mkdir -p .headrace/k8s && PATH="$(CURDIR)/$(BIN):$$PATH"; for overlay in infra/k8s/overlays/*/; do \
	  name=$$(basename $$overlay); kubectl kustomize $$overlay >.headrace/k8s/$$name.yaml || exit 1; \
	  echo ".headrace/k8s/$$name.yaml: $$(grep -c ^kind: .headrace/k8s/$$name.yaml) objects"; done

browser: ## install the Chromium that the page tests use (Debian packages; asks for root)
	@command -v chromedriver >/dev/null || { \
	  sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  $$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends chromium chromium-driver >/dev/null; }

r: ## install the R that models in R are tested with (Debian packages; asks for root)
	@Rscript -e 'library(jsonlite)' >/dev/null 2>&1 || { \
	  sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  $$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends \
	  r-base-core r-cran-jsonlite >/dev/null; }

# The Java program is compiled against the jars that Maven fetches; nothing of it is installed.
PMML := .headrace/pmml
pmml: setup ## PMML as JPMML answers it; writes the table into libs/pmml/README.md (needs Java and Maven)
	@mkdir -p $(PMML)/classes && rm -f $(PMML)/compared.jsonl
	mvn -q -B -f tests/libs/pmml/oracle/pom.xml dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/$(PMML)/jars
	javac -cp '$(PMML)/jars/*' -d $(PMML)/classes tests/libs/pmml/oracle/Oracle.java
	$(UV) venv --quiet --clear --python $(PY) $(PMML)/exports
	$(UV) pip install --quiet --python $(PMML)/exports/bin/python --requirements tests/libs/pmml/exports/requirements.txt
	rm -rf $(PMML)/exported && mkdir $(PMML)/exported
	$(PMML)/exports/bin/python tests/libs/pmml/exports/export.py $(PMML)/exported 2>$(PMML)/exports.log || { tail -5 $(PMML)/exports.log; exit 1; }
	HEADRACE_PMML=$(CURDIR)/$(PMML) $(PY) -m pytest tests/libs/pmml/test_jpmml.py $(PYTEST_ARGS)
	$(PY) tests/libs/pmml/table.py $(PMML)

# A foreign client is asked from an environment of its own, which may hold what ours must not; made anew when its pins change.
CLIENTS := $(patsubst tests/clients/%/requirements.txt,.headrace/clients/%/.made,$(wildcard tests/clients/*/requirements.txt))
clients: $(CLIENTS) ## the environments of the foreign clients that tests/clients runs

.headrace/clients/%/.made: tests/clients/%/requirements.txt | setup
	@$(UV) venv --quiet --clear --python $(PY) $(@D)
	@$(UV) pip install --quiet --python $(@D)/bin/python --requirements $<
	@touch $@

up: setup ## start the embedded stack in the background
	$(BIN)/headrace up --detach

down: setup ## stop it
	$(BIN)/headrace down

# Compose v2 where it is installed, else docker-compose 1.29; both build with BuildKit
COMPOSE = $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)
compose-%: export DOCKER_BUILDKIT := 1
compose-%: export COMPOSE_DOCKER_CLI_BUILD := 1
images: export DOCKER_BUILDKIT := 1
images: export COMPOSE_DOCKER_CLI_BUILD := 1

images: ## build the container images, and list their sizes (needs Docker)
	$(COMPOSE) build
	@docker image ls --filter reference='headrace/*' --format '{{.Repository}}:{{.Tag}}\t{{.Size}}' | sort

compose-up: setup ## start everything as containers, wait until all are healthy, and fetch addresses and keys
	$(COMPOSE) up -d
	@until ! docker inspect -f '{{with .State.Health}}{{.Status}}{{end}}' $$($(COMPOSE) ps -q) | grep -q starting; do sleep 1; done
	$(BIN)/headrace attach

compose-test: setup ## kill every container in mid-story, then down and up (needs Docker; a quarter of an hour)
	HEADRACE_COMPOSE=$(or $(KEEP),down) $(PY) -m pytest tests/infra/compose/test_engine.py -v -s $(PYTEST_ARGS)

compose-down: ## stop them; their data stay in volumes
	$(COMPOSE) down

clean: ## remove the environment, caches and the embedded stack's data
	-[ -x $(BIN)/headrace ] && $(BIN)/headrace down
	rm -rf .venv $(TOOLS) .headrace .mypy_cache .ruff_cache .pytest_cache .hypothesis

.PHONY: pmml frameworks frameworks-here r pure newest properties clients help setup check audit test postgres faults demo bench schemas minio k8s images compose-up compose-down compose-test browser up down clean denials fuzz
