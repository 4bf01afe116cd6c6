# What a person does with hilum. `make help` lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
DATA ?= $(or $(HILUM_DATA),../shared/data)

# Certificates come from the system, as pip and npm take them: hospitals have their own.
export UV_SYSTEM_CERTS := 1

.DEFAULT_GOAL := help
.PHONY: help install install-train install-dev run test fuzz check format lock reference-model gate notebook bench kill-trial cluster container-proof checkov screenshots clean poison-trial swap-trial endurance loadtest autoscaling

help: ## list what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

$(UV):
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/uv.txt

$(VENV)/.serve: $(UV) requirements/serve.txt pyproject.toml
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes --requirement requirements/serve.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.train: $(VENV)/.serve requirements/train.txt
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes --requirement requirements/train.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.serve requirements/dev.txt
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes --requirement requirements/dev.txt
	@touch $@

node_modules/.built: package.json package-lock.json
	npm ci --silent --no-audit --no-fund
	npm run --silent build
	@touch $@

install: $(VENV)/.serve node_modules/.built ## install what serving needs

install-train: $(VENV)/.train node_modules/.built ## install what serving and training need

install-dev: $(VENV)/.dev node_modules/.built ## install what training, tests and checks need

run: install-train ## start the service, which can also train, on http://localhost:8000
	$(BIN)/hilum serve

# a browser keeps an event loop in its process, where no other test could run one
PARALLEL := $(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile

test: install-dev ## run the tests
	$(PARALLEL) --ignore tests/browser
	$(PARALLEL) tests/browser

fuzz: install-dev ## ask every operation of the API 200 valid and 200 invalid requests (Schemathesis)
	HILUM_SCHEMATHESIS_EXAMPLES=200 $(BIN)/pytest tests/web/test_schemathesis.py

check: install-dev ## lint, types, import contracts
	$(BIN)/ruff format --check src tests bench scripts notebook locustfile.py
	$(BIN)/ruff check src tests bench scripts notebook locustfile.py
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install-dev ## format the code
	$(BIN)/ruff format src tests bench scripts notebook locustfile.py
	$(BIN)/ruff check --fix src tests bench scripts notebook locustfile.py

lock: $(UV) ## renew the lock files from pyproject.toml
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
	  --constraint requirements/constraints.txt --group build pyproject.toml --output-file requirements/serve.txt
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
	  --extra train --extra telemetry --group build --group dev --constraint requirements/serve.txt pyproject.toml \
	  --output-file requirements/dev.txt
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
	  --extra train --constraint requirements/dev.txt pyproject.toml --output-file requirements/train.txt
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
	  requirements/checkov.in --output-file requirements/checkov.txt

reference-model: install-dev ## train, cross-validate and measure models/reference (some 13 hours on 2 cores)
	$(BIN)/hilum train --data $(DATA)/chest-ct-scan-images --also $(DATA)/iq-oth-nccd --ignore benign \
	  --mode full --side 160 --epochs 240 --cross-validate 3 --out models/reference
	$(BIN)/hilum evaluate --model models/reference --data $(DATA)/chest-ct-scan-images --split test

gate: install-dev ## fit the gate of models/reference (about 3 minutes on 2 cores)
	$(BIN)/hilum gate fit --chest $(DATA)/chest-ct-scan-images --chest $(DATA)/iq-oth-nccd \
	  --other $(DATA)/not-chest-ct --model models/reference

notebook: install-dev ## execute the notebook on the real data into notebook/out (under 10 minutes on 2 cores)
	HILUM_DATA="$(abspath $(DATA))" HILUM_MODEL="$(if $(HILUM_MODEL),$(abspath $(HILUM_MODEL)))" \
	  $(BIN)/python -m nbconvert --to notebook --execute --ExecutePreprocessor.startup_timeout=300 --output-dir notebook/out \
	  notebook/lung_cancer_analysis.ipynb
	$(BIN)/python -m nbconvert --to html --HTMLExporter.require_js_url= --HTMLExporter.mathjax_url= \
	  notebook/out/lung_cancer_analysis.ipynb

bench: install-dev ## measure serving and training speed (docs/performance.md)
	$(BIN)/python -m bench.compare
	$(BIN)/python -m bench.serve
	$(BIN)/python -m bench.train

cluster: install-dev ## prove many instances under load: nginx, 3 instances, PostgreSQL and S3 on loopback (4 minutes)
	$(BIN)/python -m bench.cluster

endurance: install-dev ## kill it 50 times, take its database away, fill its disk, end it, damage a model (15 minutes, as root)
	$(BIN)/python -m bench.endurance

loadtest: install-dev ## people by Locust: baseline, stress, spike, soak; tables and plots into build/loadtest (6 minutes)
	$(BIN)/python -m bench.loadtest

autoscaling: install-dev ## choose the autoscaler's settings by simulation of a spike (10 minutes)
	$(BIN)/python -m bench.autoscaling

container-proof: install-dev ## build and try the images' steps in a clean root, as root and without Docker
	$(BIN)/hadolint Dockerfile
	$(BIN)/python -m scripts.prove_container serve

build/checkov/bin/checkov: $(UV) requirements/checkov.txt
	$(PYTHON) -m venv build/checkov
	$(UV) pip install --quiet --python build/checkov/bin/python --require-hashes --requirement requirements/checkov.txt
	@touch $@

OVERLAYS := local aws gcp azure

checkov: build/checkov/bin/checkov ## look for unsafe settings in the Dockerfile and the rendered manifests
	mkdir -p build/rendered
	$(foreach one,$(OVERLAYS),kubectl kustomize deploy/k8s/overlays/$(one) > build/rendered/$(one).yaml &&) true
	build/checkov/bin/checkov --skip-download --compact --quiet --framework kubernetes --directory build/rendered
	build/checkov/bin/checkov --skip-download --compact --quiet --framework dockerfile --file Dockerfile

kill-trial: install-dev ## kill worker and server at 30 points of training runs (docs/retraining.md)
	$(BIN)/python -m bench.kill_trial --kills 30
poison-trial: install-dev ## let uploads with flipped labels try the promotion gate (about 6 minutes on 2 cores)
	$(BIN)/python -m bench.poison

swap-trial: install-dev ## swap models under load, and count failed requests and answers of no model (about 3 minutes)
	$(BIN)/python -m bench.swap

screenshots: install-dev ## take pictures of every page into build/screenshots, and the README's
	PYTHONPATH=tests:tests/browser $(BIN)/python scripts/screenshots.py

clean: ## remove what was installed and built
	rm -rf $(VENV) node_modules build dist src/hilum/web/static/vendor .pytest_cache .mypy_cache .ruff_cache
