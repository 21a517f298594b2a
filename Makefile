.DEFAULT_GOAL := help
.PHONY: help build start stop restart logs dev observability test clean purge migrate clean-ports run bench lint soak fmt

LEFT_OUT := target/left-out.txt
# More than there are cores: most tests wait for a process or for the disk.
TEST_THREADS ?= 4
IMAGE ?= claude-token-monitor:latest
ENV_FILE ?= .env
PORT ?= 51888
BACKUPS ?= backups

ifeq ($(OS),Windows_NT)
    WINDOWS := -f docker/docker-compose.windows.yml
endif
DOCKER_COMPOSE := docker compose --env-file $(ENV_FILE)
COMPOSE := $(DOCKER_COMPOSE) -f docker/docker-compose.yml $(WINDOWS)
COMPOSE_DEV := $(DOCKER_COMPOSE) -f docker/docker-compose.dev.yml

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-13s %s\n", $$1, $$2 }'

build: ## Build the image
	docker build -f docker/Dockerfile -t $(IMAGE) --build-arg BUILD_REVISION=$$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown) .

start: $(ENV_FILE) ## Start the service in a container: http://localhost:51888
	$(COMPOSE) up -d

stop: $(ENV_FILE) ## Stop it; the history stays
	$(COMPOSE) stop

restart: stop start ## Stop and start it

logs: $(ENV_FILE) ## Follow its log
	$(COMPOSE) logs -f

dev: $(ENV_FILE) ## Serve from the sources in a container, anew whenever one changes
	$(COMPOSE_DEV) up --build

observability: $(ENV_FILE) ## Start it with Prometheus, Grafana and a collector
	$(COMPOSE) -f docker/docker-compose.observability.yml up -d

# An older database is copied before it is changed.
migrate: $(ENV_FILE) ## Bring the history up to date now; the start does it as well
	$(COMPOSE) stop
	$(COMPOSE) run --rm claude-monitor ingest
	$(COMPOSE) up -d

clean: $(ENV_FILE) ## Remove containers and image; the history stays
	$(COMPOSE) down --rmi local

purge: $(ENV_FILE) ## Remove the history as well, after a question and a backup
	@scripts/purge $(BACKUPS) $(COMPOSE)

clean-ports: ## Say who has the port; stop it if it is ours, and nothing else
	@scripts/clean-ports $(PORT)

# The user is filled in, since on Linux nobody else may read the transcripts.
$(ENV_FILE):
	@sed -e "s/^#MONITOR_UID=.*/MONITOR_UID=$$(id -u)/" -e "s/^#MONITOR_GID=.*/MONITOR_GID=$$(id -g)/" .env.example >$@
	@echo "made $@ from .env.example"

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
