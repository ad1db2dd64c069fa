# make demo | test | validate | lock. The first call builds .venv from requirements.lock.
VENV  := .venv
BIN   := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test validate lock clean

demo: $(STAMP)
	$(BIN)/doseopt run models/optic-ponatinib.toml --out results/optic

test: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile --no-loadscope-reorder --durations=30

validate: $(STAMP)
	$(BIN)/python -m pytest -m slow -rP

# uv is one wheel and installs in seconds what plain pip installs in minutes; pip is the fallback
$(STAMP): requirements.lock pyproject.toml .ci/installer.txt
	python=$$(sh .ci/find-python) && "$$python" -m venv --clear $(VENV)
	@echo "Installing into $(VENV) (1 to 4 minutes the first time)"
	if $(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r .ci/installer.txt; \
	then $(BIN)/uv pip install -q --python $(BIN)/python --require-hashes --only-binary :all: -r requirements.lock; \
	else $(BIN)/python -m pip install -q --require-hashes --only-binary :all: -r requirements.lock; fi
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(STAMP)

lock:
	$(BIN)/uv pip compile --universal --python-version 3.12 --generate-hashes --no-emit-index-url \
		--no-header --group dev pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) results
