# make run | test | test-all | programs | cpython | stress | lint | types | bench | asan.
# The programs land in .venv; nothing outside this folder changes.

# The system's own Python where there is one: every user can run it, which the tests of rootless sandboxes need.
PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TOOLS := $(VENV)/.tools
EXAMPLE := .example
export CMD

SOURCES := pyproject.toml setup.py MANIFEST.in bin/runsc-py \
	$(shell find runsc sentry platform $(wildcard netstack) -type f \
		\( -name '*.py' -o -name '*.pyi' -o -name '*.c' -o -name '*.h' -o -name '*.S' \))

.PHONY: run test test-all programs cpython stress lint types bench asan clean needs
.DELETE_ON_ERROR:

run: $(STAMP)
	@$(BIN)/python -I -m runsc.example $(EXAMPLE)

test: $(STAMP) $(TOOLS)
	$(BIN)/pytest -q $(ARGS)

# As `test`, in every combination of platform and switches (tests/modes.py).
test-all: $(STAMP) $(TOOLS)
	$(BIN)/pytest -q --all-modes $(ARGS)

# The real programs, with the slow ones (Go, Java, package managers); those not installed are left out.
programs: $(STAMP) $(TOOLS)
	$(BIN)/pytest -q --slow tests/programs $(ARGS)

# CPython's own test suite in the sandbox against natively (tests/cpython/run.py); all of it takes hours.
cpython: $(STAMP) $(TOOLS)
	@$(BIN)/python -I -c "import runpy, sys; sys.path.append('.'); \
		runpy.run_module('tests.cpython.run', run_name='__main__')" $(ARGS)

# stress-ng's stressors in the sandbox (tests/stress/run.py); all of them take half an hour.
stress: $(STAMP) $(TOOLS)
	@$(BIN)/python -I -c "import runpy, sys; sys.path.append('.'); \
		runpy.run_module('tests.stress.run', run_name='__main__')" $(ARGS)

lint: $(TOOLS)
	$(BIN)/ruff check .

types: $(TOOLS)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# As `python -m bench.run`, but with the installed packages before those of this folder, which aren't built.
bench: $(STAMP)
	@$(BIN)/python -I -c "import runpy, sys; sys.path.append('.'); runpy.run_module('bench.run', run_name='__main__')" \
		$(ARGS)

# The C parts with AddressSanitizer and UBSan, in an environment of their own, and the unit tests on them.
asan: $(TOOLS)
	@rm -rf .asan && mkdir .asan && cp -r pyproject.toml setup.py bin runsc sentry platform $(wildcard netstack) tests README.md .asan/
	cd .asan && RUNSC_SANITIZE=1 ../$(BIN)/python setup.py -q build_ext --inplace --force
	cd .asan && LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
		ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 PYTHONPATH=. \
		../$(BIN)/python -m pytest -q -p no:cacheprovider tests/unit $(ARGS)

clean:
	rm -rf build $(VENV) .asan $(EXAMPLE) *.egg-info

# Built and installed again only when a source is newer.
$(STAMP): $(SOURCES) | $(VENV)/bin/pip
	@PYTHON=$(BIN)/python sh .ci/needs
	@rm -rf build/lib* build/bdist*
	$(BIN)/pip install --quiet --disable-pip-version-check .
	@touch $@

$(TOOLS): pyproject.toml | $(VENV)/bin/pip
	$(BIN)/pip install --quiet --disable-pip-version-check \
		$$($(BIN)/python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
		print(*p['optional-dependencies']['dev'], *p['dependencies'], 'setuptools')")
	@touch $@

$(VENV)/bin/pip:
	@PYTHON=$(PYTHON) sh .ci/needs
	@$(PYTHON) -m venv $(VENV)
