# make demo      see people's skeletons in metres; ARGS="--video FILE" passes arguments on
# make test      format, lint, types, layers, unit tests, and the node over real DDS
# make gpu       measure a machine with a GPU, benchmark/gpu.py; says what it lacks
# make fuzz      a million inputs of nonsense, benchmark/fuzz.py
# make install   what `make demo` needs, into .venv; install-test: what `make test` needs
# make messages  erd_ros.msg and .srv anew after a change in msg/ or srv/
# make format    let ruff format and mend what it can
# make clean     remove what was built; distclean: .venv as well
#
# PYTHON=python3.12 chooses the Python that .venv is made with.

PYTHON ?= python3
VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
PIP := $(BIN)/python -m pip --disable-pip-version-check install --constraint constraints.txt
PACKAGE := $(PIP) --no-build-isolation --editable
SHARED := $(shell find config docs launch msg rviz srv -type f 2>/dev/null)
SOURCES := CMakeLists.txt constraints.txt package.xml pyproject.toml setup.py $(SHARED)
INTERFACES := tf2_msgs hri_msgs

# Activated or not, what runs below is what lies in .venv; the ROS wheels set no AMENT_PREFIX_PATH.
export AMENT_PREFIX_PATH := $(VENV)
export PATH := $(BIN):$(PATH)

.PHONY: demo test check gpu fuzz install install-test messages format clean distclean

demo: install
	$(BIN)/erd demo $(ARGS)

test check: install-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest $(ARGS)

fuzz: install-test
	$(BIN)/python -m benchmark.fuzz $(ARGS)

gpu: install-test
	$(BIN)/python -m benchmark.gpu $(ARGS)

install: $(STAMPS)/demo
install-test: $(STAMPS)/test $(INTERFACES:%=$(STAMPS)/%)

$(STAMPS)/venv: scripts/system_packages.py
	@command -v $(PYTHON) >/dev/null || \
	  { echo "$(PYTHON) was not found; install it: sudo apt-get install -y python3"; exit 1; }
	@$(PYTHON) scripts/system_packages.py
	@echo "== .venv: a virtual environment of $$($(PYTHON) --version)"
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade 'pip>=24,<27'
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/build: $(STAMPS)/venv scripts/build_requirements.py pyproject.toml
	@echo "== .venv: what generating the ROS messages needs"
	@$(BIN)/python scripts/build_requirements.py > $(STAMPS)/build.txt
	$(PIP) --requirement $(STAMPS)/build.txt
	@touch $@

$(STAMPS)/demo: $(STAMPS)/build $(SOURCES)
	@echo "== .venv: erd_ros with ROS, detector and viewer (no torch)"
	$(PACKAGE) '.[demo]'
	@touch $@

$(STAMPS)/test: $(STAMPS)/build $(SOURCES)
	@echo "== .venv: erd_ros with ROS, detector, viewer, training and test tools"
	$(PACKAGE) '.[test]'
	@touch $@ $(STAMPS)/demo

$(INTERFACES:%=$(STAMPS)/%): $(STAMPS)/%: $(STAMPS)/test cmake/ros_wheels.cmake $(shell find test/interfaces -type f)
	@echo "== .venv: $*, which the ROS wheels lack"
	rm -rf build/$*
	cmake -G Ninja -S test/interfaces/$* -B build/$* -DBUILD_TESTING=OFF \
	  -DCMAKE_INSTALL_PREFIX=$(VENV) -DCMAKE_PREFIX_PATH=$(VENV) \
	  -DPython3_EXECUTABLE=$(BIN)/python
	cmake --build build/$* --target install
	@touch $@

messages:
	$(PACKAGE) . --no-deps

format:
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf build dist install log *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)
