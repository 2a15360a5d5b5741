# What a developer, a curious person and CI type. `make help` lists it.
#
# Every cargo call below names the whole workspace: building a package alone would choose other features for
# the Matrix part, which then compiles a second time (about eight minutes of one core).

# A failed end-to-end test shows the logs of its servers; a Rust backtrace of each `?` would bury them.
export RUST_LIB_BACKTRACE ?= 0

CARGO ?= cargo
POSTGRES := scripts/with-postgres
# cargo-nextest where it is installed: it runs tests in processes of their own and says which is slow.
RUN_TESTS := $(if $(shell command -v cargo-nextest),nextest run --workspace --all-targets --no-fail-fast,test --workspace --all-targets --no-fail-fast)

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\n  make demo KEEP=1      the same, but left running until Ctrl-C for you to try\n'
	@printf '  make large-file SIZE=bytes  another size than 1 GiB\n'
	@printf '  make large-file RELEASE=1   with an optimised build, which takes a while to make\n'
	@printf '  make test TESTS=name  only the tests whose name contains this\n'

.PHONY: setup
setup: ## Install the homeserver, clients and peers of the tests into .local/
	@scripts/setup

.PHONY: demo
demo: ## Let a Matrix person and a WhatsApp person talk through the bridge
	@scripts/setup demo
	$(CARGO) build --workspace --bins --examples
	@"$${CARGO_TARGET_DIR:-target}/debug/examples/demo" $(if $(KEEP),--keep)

.PHONY: large-file
large-file: ## Carry one large file each way and print what it costs
	@scripts/setup demo
	$(CARGO) build --workspace --bins --examples $(if $(RELEASE),--release)
	@"$${CARGO_TARGET_DIR:-target}/$(if $(RELEASE),release,debug)/examples/large_file" $(SIZE)

.PHONY: check
check: ## Format, lints and documentation, as CI wants them
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items --quiet

# The documentation's examples first: the last lines should be those of the test run that counts.
.PHONY: test
test: setup check ## Everything that CI runs
	$(CARGO) test --workspace --doc --quiet
	$(POSTGRES) $(CARGO) $(RUN_TESTS) $(TESTS)

.PHONY: simulate
simulate: ## Play SEEDS=200 simulated worlds against the bridge
	CAUSEWAY_SEEDS=$(or $(SEEDS),200) $(CARGO) test --workspace --test sim fresh_seeds -- --nocapture

.PHONY: licenses
licenses: ## Check licences, sources and duplicates (needs cargo-deny)
	$(CARGO) deny check

.PHONY: clean
clean: ## Remove everything built or installed in this checkout
	$(CARGO) clean
	rm -rf .local
