# Everything this project can do. A bare `make` lists it.
#
# Variables: PYTHON=python3.12 chooses the interpreter of a new .venv; CHAPTER=replay names one for
# `test` or `outputs`, STUDY=cartpole one for `studies`; REF=v0.1.0 is what `changed` compares
# with; SOLUTIONS=no builds the site without worked solutions; SEED=7 chooses an exam; PORT=8000 is
# for `serve`; UPGRADE=1 lets `requirements` choose newer versions. pip's own variables, such as
# PIP_EXTRA_INDEX_URL, reach pip unchanged.

PYTHON ?= python3
PORT ?= 8000
CHAPTER ?=
STUDY ?= *
REF ?=
UPGRADE ?=
SOLUTIONS ?=
SEED ?=
QUESTIONS ?=
REQUIREMENTS ?= requirements.txt

VENV := .venv
BENCH := .venv-bench
TOOLS := .venv-tools
GRADING := .venv-grading
ifeq ($(OS),Windows_NT)
BIN := Scripts
else
BIN := bin
endif
PY := $(VENV)/$(BIN)/python
READY := $(VENV)/ready
HTML := _build/html

# One thread a process: networks this small run many times slower on several.
export OMP_NUM_THREADS ?= 1
export SOLUTIONS

.DEFAULT_GOAL := help
.PHONY: help book serve test test-fast changed outputs new-chapter bind report studies \
  minatar handout solutions slides pdf epub exam lab lint format \
  audit requirements notebooks bench mutants firefox proofs grading linkcheck clean
.DELETE_ON_ERROR:

help: ## list the targets (also: a bare `make`)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

book: $(READY) ## build the site from the stored outputs and print its address (without solutions: SOLUTIONS=no)
	$(VENV)/$(BIN)/jupyter-book build . -W -n --keep-going --all --quiet
	@$(PY) -c "import pathlib; print('Open', pathlib.Path('$(HTML)/index.html').resolve().as_uri())"

serve: book ## build the site and serve it on this machine
	@echo "Serving http://localhost:$(PORT)/ until Ctrl-C"
	@$(PY) -m http.server $(PORT) --bind localhost --directory $(HTML)

PYTEST := $(PY) -m pytest --nbval -n 2 --dist loadfile --no-loadscope-reorder

test: $(READY) ## unit tests, every chapter executed and compared, the site in Chromium (one chapter: CHAPTER=replay)
	$(if $(wildcard book/$(or $(CHAPTER),*).ipynb),,$(error there is no book/$(CHAPTER).ipynb))
	$(PYTEST) $(if $(CHAPTER),-k $(CHAPTER) tests/tools/test_book.py tests/tools/test_bind.py book/$(CHAPTER).ipynb,tests book)

changed: $(READY) ## test what was touched since the main branch, or REF=v0.1.0, and what depends on it
	$(PY) tests/changed.py $(REF)

test-fast: $(READY) ## the unit tests that take seconds
	$(PY) -m pytest -n 2 --dist loadfile -m "not slow" tests

outputs: $(READY) ## execute the chapters and store what they show (one: CHAPTER=replay)
	$(PY) book/tools/record.py $(CHAPTER)

new-chapter: $(READY) ## begin a chapter from the template: NAME=my_topic
	$(PY) book/tools/new_chapter.py $(NAME)

bind: $(READY) ## bind the numbers of sentences to what the cells show (one page: CHAPTER=replay)
	$(PY) book/tools/bind.py $(CHAPTER)

report: $(READY) ## what changed in the stored outputs, side by side (since the last commit, or REF=main)
	$(PY) book/tools/report.py $(REF)

studies: $(READY) ## reproduce the stored results (one: STUDY=ablation)
	$(if $(wildcard book/studies/$(STUDY).py),,$(error there is no book/studies/$(STUDY).py))
	@set -e; for study in $(wildcard book/studies/$(STUDY).py); do echo "$$study"; $(PY) "$$study"; done

minatar: $(READY) ## run the study of two games of MinAtar, which gets a folder of its own
	$(PY) -m pip install -qq --no-deps --upgrade --target $(TOOLS)/minatar minatar==1.0.15
	PYTHONPATH=$(TOOLS)/minatar $(PY) book/studies/minatar_games.py

handout: $(READY) ## the learners' notebooks: no solutions, no outputs (one: CHAPTER=replay)
	$(PY) book/tools/handout.py handout $(CHAPTER)

solutions: $(READY) ## the teacher's key, as sources for nbgrader (one: CHAPTER=replay)
	$(PY) book/tools/handout.py solutions $(CHAPTER)

slides: book ## slides of the chapters, made of the site, for a lecture without a network (one: CHAPTER=replay)
	$(PY) book/tools/slides.py $(CHAPTER)

pdf: book ## the whole book as one PDF, linked from the first page of the site
	$(PY) book/tools/whole.py pdf

epub: book ## the whole book as one EPUB, linked from the first page of the site
	$(PY) book/tools/whole.py epub

exam: $(READY) ## an exam and its key, apart, under _build/exam: SEED=7 (how many questions: QUESTIONS=8)
	$(PY) book/tools/exam.py "$(SEED)" $(QUESTIONS)

lab: $(READY) ## open the chapters in JupyterLab
	$(PY) -m jupyterlab --ServerApp.root_dir=book

lint: $(READY) ## check style, spelling and the core's types
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m codespell_lib
	$(PY) -m mypy

format: $(READY) ## mend what the style check can mend itself
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

audit: $(TOOLS)/ready ## known holes in the pinned packages, and what the workflows allow
	$(TOOLS)/$(BIN)/pip-audit --strict -r requirements.txt --no-deps --disable-pip
	$(TOOLS)/$(BIN)/actionlint -ignore 'property "workflow_(repository|sha)" is not defined'
	$(TOOLS)/$(BIN)/zizmor --offline .

# One list for all systems. CUDA, which the default build of torch brings along on Linux, stays out
# of it, and so does what only a Python needs that is newer than ours.
NOT_OURS := ^(cuda-|nvidia-|triton=|box2d-py=|swig=)
requirements: $(TOOLS)/ready ## resolve requirements.in into the exact versions of requirements.txt (newer ones: UPGRADE=1)
	$(TOOLS)/$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-annotate \
	  --custom-compile-command "make requirements" --no-emit-package rl-lab \
	  $(if $(UPGRADE),--upgrade) requirements.in --output-file requirements.txt
	grep -Ev '$(NOT_OURS)' requirements.txt > $(TOOLS)/requirements.txt
	cp $(TOOLS)/requirements.txt requirements.txt

# Whatever the other repository sets for pytest stays out of it. The shell gets both names from the
# environment, where a quotation mark in one of them is a character like any other.
notebooks: export FOLDER := $(value FOLDER)
notebooks: export NOTEBOOKS := $(value NOTEBOOKS)
notebooks: $(READY) ## check notebooks that live elsewhere: FOLDER=path, and in it NOTEBOOKS=week3
	$(if $(value FOLDER),,$(error which notebooks? make notebooks FOLDER=path))
	PYTHONPATH=book $(PY) -m pytest --nbval -p conftest --noconftest --rootdir "$$FOLDER" \
	  -c pyproject.toml -o python_files= -p no:cacheprovider -n 2 --dist loadfile \
	  "$$FOLDER/$$NOTEBOOKS"

bench: $(BENCH)/ready ## time the training core against Stable-Baselines3 and JAX
	$(BENCH)/$(BIN)/python tests/bench.py
	$(BENCH)/$(BIN)/python tests/bench_probes.py

firefox: ## make and use every experiment of the site in Firefox (needs firefox or firefox-esr, node and npm)
	@command -v npm >/dev/null && { command -v firefox || command -v firefox-esr; } >/dev/null || \
	  { echo "make firefox needs firefox or firefox-esr, node and npm"; exit 1; }
	$(MAKE) book
	npm install --silent --no-save --prefix $(TOOLS)/node puppeteer-core@24
	cp tests/browser/firefox.mjs $(TOOLS)/node/
	node $(TOOLS)/node/firefox.mjs _build/html "$$(command -v firefox || command -v firefox-esr)"

mutants: $(READY) ## plant one-line bugs and see that the unit tests catch each
	$(PY) tests/mutants.py

proofs: $(READY) ## prove Binder and Colab in environments of their own (one: CHAPTER=replay); it takes long
	$(PY) tests/launch/colab.py $(CHAPTER)
	$(PY) tests/launch/binder.py $(CHAPTER)

grading: $(READY) $(GRADING)/ready ## prove the keys: nbgrader grades right, wrong and empty answers (of one: CHAPTER=replay)
	$(PY) tests/launch/grading.py $(GRADING)/$(BIN)/nbgrader $(CHAPTER)

linkcheck: book ## look for broken links and anchors inside the site
	$(PY) tests/links.py $(HTML)

clean: ## remove what was built (.venv stays)
	rm -rf _build $(BENCH) $(TOOLS) $(GRADING) .pytest_cache .ruff_cache .mypy_cache .hypothesis *.egg-info build
	find book rl_lab tests -name __pycache__ -type d -prune -exec rm -rf {} +

# A finished environment holds the file `ready`. One that was interrupted does not, and is
# made anew; one older than requirements.txt is brought up to date.
define environment
	@$(PYTHON) -c "import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))" || \
	  { echo "Python 3.11 to 3.13 is needed, for example: make PYTHON=python3.12"; exit 1; }
	@if test -f $@ && $(@D)/$(BIN)/python -m pip --version >/dev/null 2>&1; then rm $@; \
	  else $(PYTHON) -m venv --clear $(@D); fi
	@echo "Installing into $(@D): some minutes the first time"
	@$(@D)/$(BIN)/python -m pip install --disable-pip-version-check -qq -r $(REQUIREMENTS) $(1)
	@$(@D)/$(BIN)/python -m pip install --disable-pip-version-check -qq \
	  --no-deps --no-build-isolation --editable .
	$(@D)/$(BIN)/python -m pip check
	@touch $@
endef

$(READY): $(REQUIREMENTS)
	$(call environment,)

$(BENCH)/ready: requirements.txt
	$(call environment,stable-baselines3==2.9.2 sb3-contrib==2.9.0 jax==0.10.2)

# The requirements here are a few tools, which need nothing of the course.
$(TOOLS)/ready: .github/requirements.txt
	$(PYTHON) -m venv --clear $(TOOLS)
	$(TOOLS)/$(BIN)/python -m pip install --disable-pip-version-check -qq -r $<
	@touch $@

# nbgrader, with the course's version of each package that both need.
$(GRADING)/ready: tests/launch/requirements.txt requirements.txt
	$(PYTHON) -m venv --clear $(GRADING)
	$(GRADING)/$(BIN)/python -m pip install --disable-pip-version-check -qq -r $< -c requirements.txt
	@touch $@
