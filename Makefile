# Two commands are all the set-up there is: `make book` and `make test`.
.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV ?= .venv
PYTHON ?= python3
CHAPTER ?= 01_tokens
BIN := $(VENV)/bin
BOOK := build/book/_build/html/index.html
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt

.PHONY: help book test serve notebooks format check tests notebook-tests browser-tests bench class clean chromium

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 24

book: $(BOOK) ## build the book and open it (works without a server)
	@echo "The book: file://$(abspath $(BOOK))"
	@$(BIN)/python -c "import os, webbrowser; 'CI' in os.environ or webbrowser.open('file://$(abspath $(BOOK))')" >/dev/null 2>&1 || true

test: check tests notebook-tests browser-tests ## everything that CI checks
	@echo "make test: all passed"

serve: $(BOOK) ## serve the book at http://localhost:8000
	$(BIN)/python -m http.server 8000 --bind 127.0.0.1 --directory $(dir $(BOOK))

notebooks: $(VENV)/.dev ## rebuild every generated file from its source
	$(BIN)/lmcourse notebooks

format: $(VENV)/.dev ## format and mend what can be mended
	$(BIN)/ruff check --fix --quiet . && $(BIN)/ruff format --quiet .

bench: $(VENV)/.dev ## speed beside the peers, as ratios in one run
	$(BIN)/python benchmarks/bench_corpora.py
	$(BIN)/python benchmarks/bench_tokens.py
	$(BIN)/python benchmarks/bench_embeddings.py
	$(BIN)/python benchmarks/bench_encoder_decoder.py
	$(BIN)/python benchmarks/bench_language_model.py
	$(BIN)/python benchmarks/bench_grading.py

class: $(VENV)/.dev ## invent a class of 40, grade it, open the report (another chapter: CHAPTER=02_embeddings)
	rm -rf build/class
	$(BIN)/lmcourse grade practice build/class/lms --assignment $(CHAPTER)
	$(BIN)/lmcourse grade collect build/class/lms/submissions.zip --assignment $(CHAPTER) --to build/class || [ $$? -eq 1 ]
	$(BIN)/lmcourse grade run $(CHAPTER) --to build/class --workers 2
	$(BIN)/lmcourse grade feedback $(CHAPTER) --to build/class
	$(BIN)/lmcourse grade export $(CHAPTER) --to build/class --lms canvas --template build/class/lms/gradebook.csv
	$(BIN)/lmcourse grade report $(CHAPTER) --to build/class --open

clean: ## remove what was built, the environment too
	rm -rf build $(VENV)

# --- the parts of `make test` -----------------------------------------------------------------------------------

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

tests: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist loadfile --doctest-modules -m "not browser" lmcourse tests

notebook-tests: $(VENV)/.dev
	$(BIN)/python -m pytest -p tests.notebooks.runtime --nbval --nbval-current-env --nbval-cell-timeout 300 \
	  chapters/*/lesson.ipynb solutions/*/exercises.ipynb

browser-tests: $(BOOK) chromium
	LMCOURSE_BOOK=$(dir $(BOOK)) $(BIN)/python -m pytest -m browser tests

# --- the environment ----------------------------------------------------------------------------------------------

$(VENV)/bin/python:
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'lmcourse needs Python 3.11 or newer; say make PYTHON=python3.12')"
	$(PYTHON) -m venv $(VENV)

# The book needs fewer packages than the tests; whoever has the larger set need not install the smaller.
$(VENV)/.book: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing what the book needs into $(VENV) (a few minutes the first time) ..."
	@test -f $(VENV)/.dev || $(PIP) --editable '.[book]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing what the tests need into $(VENV) (a few minutes the first time) ..."
	@$(PIP) --editable '.[book,grade,dev]'
	@touch $@ $(VENV)/.book

SOURCES := $(shell find book chapters -type f -not -name '*.py' 2>/dev/null) $(shell find book/_ext lmcourse/figures -type f -not -name '*.pyc')
$(BOOK): _config.yml _toc.yml $(SOURCES) | $(VENV)/.book
	$(BIN)/jupyter-book build . --path-output build/book --all -W --keep-going --quiet
	@touch $@

chromium:
	@command -v "$${LMCOURSE_CHROMIUM:-chromium}" >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -qq && apt-get install -y -qq chromium >/dev/null; \
	  else echo "The browser tests need Chromium. Type: sudo apt-get install chromium   (or set LMCOURSE_CHROMIUM to its path)"; exit 1; fi; }
