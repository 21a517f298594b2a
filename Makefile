.DEFAULT_GOAL := help
.PHONY: help run test bench lint soak fmt

LEFT_OUT := target/left-out.txt
# More than there are cores: most tests wait for a process or for the disk.
TEST_THREADS ?= 4

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-6s %s\n", $$1, $$2 }'

run: ## Build the release binary and serve
	cargo run --release

test: ## Every test, then the list of what had to be left out
	@scripts/test-parts
	@rm -f $(LEFT_OUT)
	@cargo test --no-fail-fast --features mutants -- --test-threads=$(TEST_THREADS); status=$$?; scripts/left-out $(LEFT_OUT); exit $$status

soak: ## The fault tests at the length that is too long for every day
	@scripts/test-parts
	@rm -f $(LEFT_OUT)
	@CTM_SOAK=1 cargo test --release --features mutants --test it -- --test-threads=$(TEST_THREADS); status=$$?; scripts/left-out $(LEFT_OUT); exit $$status

bench: ## Measure against the goals and against a peer in the same run
	@scripts/bench-parts
	cargo bench --bench bench

lint: ## Formatting and clippy, as in CI
	cargo fmt --check
	cargo clippy --all-targets --all-features -- -D warnings

fmt: ## Format the code
	cargo fmt
