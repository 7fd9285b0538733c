# What a person types. Progress goes to stderr; stdout is for results (`make demo ARGS="-o json"`).
# Works with GNU make 4 and /bin/sh; the prerequisites are checked by packaging/tools/check.

.DEFAULT_GOAL := help
.PHONY: help demo test test-labs bench fuzz build fmt lint docs tools check clean

ARGS ?=
LABS ?= --test 'labs_*'
BIN = $${CARGO_TARGET_DIR:-target}/debug

# Set MUSTER_NATS_SERVER (and MUSTER_NATS_SERVER_211) to use a server of your own: nothing is fetched.
ifeq ($(origin MUSTER_NATS_SERVER),undefined)
MUSTER_NATS_SERVER := $(CURDIR)/.tools/nats-server
FETCH := nats-server
endif
ifeq ($(origin MUSTER_NATS_SERVER_211),undefined)
MUSTER_NATS_SERVER_211 := $(CURDIR)/.tools/nats-server-2.11
FETCH_211 := nats-server-2.11
endif
export MUSTER_NATS_SERVER MUSTER_NATS_SERVER_211

# Labs and bench compare with Salt; MUSTER_SALT_PYTHON names a Python that has it.
ifeq ($(origin MUSTER_SALT_PYTHON),undefined)
MUSTER_SALT_PYTHON := $(CURDIR)/.tools/salt/bin/python
FETCH_SALT := salt
endif
export MUSTER_SALT_PYTHON

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | while IFS='	' read -r target what; do \
		printf '  make %-10s %s\n' "$$target" "$$what"; done

demo: build ## Launch three workers on this machine and watch them (ARGS="--workers 5 --once -o json")
	@$(if $(FETCH),packaging/tools/install $(FETCH))
	@MUSTER_DEMO_DIR="$(CURDIR)/.demo"; export MUSTER_DEMO_DIR; exec "$(BIN)/muster" demo $(ARGS)

test: tools build ## Run all tests (some: ARGS="-p muster-protocol")
	@$(if $(ARGS),,cargo test --workspace --doc --quiet)
	@cargo test $(or $(ARGS),--workspace --lib --bins --tests)

test-labs: tools build ## Run the tests on a real OpenStack, VMs, packet filter, carbon-cache (as root on Debian)
	@packaging/tools/labs
	@$(if $(FETCH_SALT),packaging/tools/install $(FETCH_SALT))
	@$(if $(ARGS),,MUSTER_LABS=1 cargo test -p muster-controller --test hooks namespace::)
	@$(if $(ARGS),,MUSTER_LABS=1 cargo test -p muster-states --test machine_cases)
	@status=0; cargo test -p muster-tests --features labs $(or $(ARGS),$(LABS)) || status=$$?; \
		[ -n "$(KEEP)" ] || tests/labs/openstack/down; exit $$status

# The agent is built alone, so that it has only the features it asks for.
bench: tools ## Measure the figures (slow: optimised builds)
	@$(if $(FETCH_SALT),packaging/tools/install $(FETCH_SALT))
	@cargo build --profile agent -p muster-agent
	@cargo build --profile agent -p muster -p muster-controller
	@MUSTER_BIN_DIR="$${CARGO_TARGET_DIR:-$(CURDIR)/target}/agent"; export MUSTER_BIN_DIR; \
		exec cargo bench -p muster-states -p muster-agent -p muster-reactors -p muster-tests --bench '*' $(ARGS)

# New inputs stay in tests/fuzz/target; what is worth keeping is merged by hand (CONTRIBUTING.md).
# RUSTC_BOOTSTRAP lets a stable compiler take the flags that cargo-fuzz passes.
fuzz: check ## Fuzz the decoders of bytes, each for TIME seconds (TARGET=messages TIME=600)
	@command -v cargo-fuzz >/dev/null || \
		{ echo "make fuzz needs cargo-fuzz: run \`cargo install cargo-fuzz --locked\`" >&2; exit 1; }
	@command -v c++ >/dev/null || \
		{ echo "make fuzz builds libFuzzer and needs a C++ compiler: install g++ or clang" >&2; exit 1; }
	@for target in $(or $(TARGET),$$(cargo fuzz list --fuzz-dir tests/fuzz)); do \
		mkdir -p tests/fuzz/target/corpus/$$target; \
		RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir tests/fuzz --sanitizer none $$target \
			tests/fuzz/target/corpus/$$target tests/fuzz/corpus/$$target \
			-- -max_total_time=$(or $(TIME),600) -max_len=16384 -timeout=20 -rss_limit_mb=1024 \
			|| exit 1; \
	done

# The whole workspace's features, so that `test` and `demo` share what they build.
build: check ## Build muster, muster-controller and muster-agent
	@cargo build --workspace --bins >&2

fmt: ## Format the sources
	@cargo fmt --all

lint: check ## Check format and clippy, warnings refused
	@cargo fmt --all --check
	@cargo clippy --workspace --all-targets -- -D warnings

docs: check ## Build the API documentation, warnings refused
	@RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

tools: check ## Fetch the pinned nats-servers into .tools
	@$(if $(FETCH)$(FETCH_211),packaging/tools/install $(FETCH) $(FETCH_211))

check: ## Check the prerequisites
	@packaging/tools/check

# A killed demo may have left mounts below .demo: never reach through them.
clean: ## Remove everything that the other targets made
	@cargo clean
	@rm -rf --one-file-system .tools .demo
