# Everything a checkout can do. Needs Python 3.11+ and nothing else: the first target that needs the virtual
# environment makes it from the lock file. Variables are given on the line: make up PORT=9000 STAGES=simulated

PYTHON ?= python3
# Most tests wait. With 0 they run one after the other, in one process.
PROCESSES ?= 2
VENV := .venv
PY := $(VENV)/bin/python
LOCAL := $(PY) -m dialtone.local
# Its own environment, for it needs torch, which nothing else here does.
MOSHI_VENV := .venv-moshi
TORCH := $(shell sed -n 's/.*"\(torch==[^"]*\)".*/\1/p' services/llm/pyproject.toml)
# Fetched only by name.
KOKORO := kokoro-v1.0-int8 kokoro-v1.0-voices
CLIENTS := tests/conformance/node
PAGE := services/gateway/page
WEB := services/gateway/src/dialtone/gateway/web
PACKAGES := proto libs services/gateway services/vad-asr services/llm services/tts deploy/local
TYPED := libs/src services/gateway/src services/vad-asr/src services/llm/src services/tts/src deploy/local/src deploy/monitoring scripts/backends.py tests

.DEFAULT_GOAL := help
.PHONY: help up down call page test test-live test-voices backends bench load autoscale sizing chaos soak compose-check test-moshi bench-moshi models monitoring lock proto check format clean

help:
	@echo "make call     place a call to the stack and show it (starts the stack when it is not running)"
	@echo "              WAV=question.wav OUT=reply.wav TURNS=3 PROTOCOL=voice_call URL=...; LANGUAGE=zh asks in Chinese"
	@echo "make test     all checks and tests: ARGS=tests/llm PROCESSES=2"
	@echo "make test-moshi  the tests of Moshi's engine, in an environment with torch: ARGS=tests/moshi/test_isolation.py"
	@echo "make test-live  what backends of vendors promise, of the vendors themselves: of those whose key is in the"
	@echo "              environment (ASR_OPENAI_API_KEY, DEEPGRAM_API_KEY, GEMINI_API_KEY, OPENAI_API_KEY, MINIMAX_API_KEY)"
	@echo "make test-voices  what the voices promise, of Kokoro with its real weights (104 MB, fetched first)"
	@echo "make up       start the stack: PORT=8000 STAGES=simulated MOSHI=sft LANGUAGE=zh LOG=1 DETACH=1"
	@echo "make page     build the page that the gateway serves"
	@echo "make down     end what make up DETACH=1 left running"
	@echo "make models   fetch and verify the models that tests and stacks need, or NAMES='whisper-base org/repo:file' VERIFY=1"
	@echo "make bench    measure; writes build/bench*.json and .md"
	@echo "make bench-moshi  times of Moshi's steps by batch size; writes build/bench-moshi.json and .md:"
	@echo "              ARGS='--size tiny --batches 1,4,16' or, on a GPU, ARGS='--size full'"
	@echo "make load     callers by locust, on a stack of simulated stages or URL=...: CALLS=50 MINUTES=2 SHAPE=spike;"
	@echo "              writes build/load.html and build/load_*.csv; fails past its limits"
	@echo "make autoscale  a simulated day of calls under the deployed scaling policy; writes build/autoscale*"
	@echo "make sizing   measure what work takes here; writes the tables of docs/operations.md"
	@echo "make chaos    inject faults while callers talk; writes build/chaos*.json and .md: ARGS='--tries 2'"
	@echo "              LANE=rolling restarts every service, calls ends calls in every way, idle holds 10,000,"
	@echo "              models kills workers with the real models"
	@echo "make soak     faults at random: MINUTES=10 CALLS=8 SEED=7"
	@echo "make compose-check  build every image, list what it holds, bring docker-compose.yml up and call through it;"
	@echo "              needs Docker or podman: ARGS='--stand-ins' makes the images of others of Debian's packages"
	@echo "make check    formatting, lint, types, import directions, generated code"
	@echo "make format   format the code"
	@echo "make lock     write the lock files anew"
	@echo "make monitoring  write dashboards and alert rules from deploy/monitoring"
	@echo "make backends  write the tables of docs/backends.md from the registries"
	@echo "make proto    generate the bus contract's Python"
	@echo "make clean    remove what was built (not the models)"

# Moshi's model needs torch, which has an environment of its own; the simulated one does not.
up: $(VENV)/.ready $(if $(MOSHI),$(if $(filter simulated,$(STAGES)),,$(MOSHI_VENV)/.ready))
	@$(MAKE) --no-print-directory page || echo "going on without the page at /" >&2
	@$(LOCAL) up

page: $(WEB)/index.html

down: $(VENV)/.ready
	@$(LOCAL) down

call: $(VENV)/.ready
	@$(LOCAL) call

bench: $(VENV)/.ready
	@$(PY) -m tests.bench $(ARGS)

load: $(VENV)/.ready
	@$(PY) -m tests.load $(if $(CALLS),--calls $(CALLS)) $(if $(MINUTES),--minutes $(MINUTES)) \
		$(if $(SHAPE),--shape $(SHAPE)) $(if $(URL),--url $(URL)) $(if $(WAV),--wav $(WAV)) $(ARGS)

autoscale: $(VENV)/.ready
	@$(PY) -m tests.load.autoscale_sim $(ARGS)

sizing: models
	@$(PY) -m tests.load.autoscale_sim.measure $(ARGS)

chaos: $(VENV)/.ready
	@$(PY) -m tests.chaos $(LANE) $(ARGS)

soak: $(VENV)/.ready
	@$(PY) -m tests.chaos soak --minutes $(or $(MINUTES),10) --calls $(or $(CALLS),8) $(if $(SEED),--seed $(SEED))

compose-check: models
	@$(PY) -m tests.composed $(ARGS)

models: $(VENV)/.ready
	@$(LOCAL) models $(if $(VERIFY),--verify) $(NAMES)

test: check models page $(CLIENTS)/node_modules/.ready
	@$(PY) -m pytest -n $(PROCESSES) $(ARGS)

test-moshi: $(MOSHI_VENV)/.ready
	@$(MOSHI_VENV)/bin/python -m pytest -n $(PROCESSES) $(or $(ARGS),tests/moshi)

bench-moshi: $(MOSHI_VENV)/.ready
	@$(MOSHI_VENV)/bin/python -m tests.moshi.bench $(ARGS)

test-live: $(VENV)/.ready
	@$(PY) -m pytest -m live $(ARGS) tests/vad_asr/backends tests/tts/backends \
		tests/llm/test_contract.py

test-voices: $(VENV)/.ready
	@$(LOCAL) models $(KOKORO) whisper-base
	@$(PY) -m pytest -m voices $(or $(ARGS),tests/tts)

check: $(VENV)/.ready
	@scripts/proto.sh --check
	@$(PY) scripts/backends.py --check
	@$(VENV)/bin/ruff format --check --quiet . || { echo "run make format" >&2; exit 1; }
	@$(VENV)/bin/ruff check --quiet .
	@$(VENV)/bin/mypy $(TYPED)
	@$(VENV)/bin/lint-imports --no-logo | tail -n 4

format: $(VENV)/.ready
	@$(VENV)/bin/ruff format .
	@$(VENV)/bin/ruff check --fix .

lock: $(VENV)/.ready
	@scripts/lock.sh

monitoring: $(VENV)/.ready
	@$(PY) -m deploy.monitoring

backends: $(VENV)/.ready
	@$(PY) scripts/backends.py

proto: $(VENV)/.ready
	@scripts/proto.sh

clean:
	@if [ -x $(PY) ]; then $(LOCAL) down; fi
	rm -rf $(VENV) $(MOSHI_VENV) $(CLIENTS)/node_modules $(PAGE)/node_modules $(WEB) .run build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# Made anew only when a lock file or a package's own metadata changes.
$(VENV)/.ready: requirements-dev.lock $(PACKAGES:%=%/pyproject.toml) scripts/venv.sh
	@PYTHON="$(PYTHON)" scripts/venv.sh $(VENV) requirements-dev.lock $(PACKAGES)
	@touch $@

# Which build of torch it gets (for a CPU, for a GPU of this or that kind) is left to the machine's pip.
$(MOSHI_VENV)/.ready: requirements-dev.lock services/llm/requirements-moshi.lock $(PACKAGES:%=%/pyproject.toml) scripts/venv.sh
	@PYTHON="$(PYTHON)" scripts/venv.sh $(MOSHI_VENV) "requirements-dev.lock services/llm/requirements-moshi.lock" $(PACKAGES)
	@echo "installing $(TORCH)"
	@$(MOSHI_VENV)/bin/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	@touch $@

# The clients of the conformance tests that run in Node.js, which comes with the virtual environment.
# So does the page's tool.
$(CLIENTS)/node_modules/.ready $(PAGE)/node_modules/.ready: %/node_modules/.ready: %/package-lock.json %/.npmrc scripts/node.sh | $(VENV)/.ready
	@scripts/node.sh $(VENV) $*
	@touch $@

$(WEB)/index.html: $(PAGE)/node_modules/.ready $(PAGE)/index.html $(PAGE)/vite.config.ts $(shell find $(PAGE)/src -type f) scripts/page.sh
	@scripts/page.sh $(VENV) $(PAGE)
