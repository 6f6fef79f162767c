# `make` or `make help` lists what there is.
.DEFAULT_GOAL := help
.PHONY: help setup fmt lint check test itest e2e lab demo proto docs bench new-plugin coverage clean
BIN := .venv/bin

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  \033[36m%-12s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Make .venv with mtd, the eggs and the tools
	@scripts/setup_env

fmt: setup ## Format the code and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: setup ## What is checked without running the product (C="ruff mypy" for a part)
	@scripts/check $(C)

check: ## Everything: lint and all tests, as continuous integration does
	@scripts/test

test: ## All tests without lint (T=path or pytest options for a part)
	@scripts/test --no-checks $(T)

itest: setup ## Tests with sockets, PostgreSQL and the lab
	@scripts/test tests/integration tests/contract

e2e: setup ## The whole product, from a clean data folder, for a minute
	@scripts/demo --seconds 60 --json

lab: setup ## Simulated routers on loopback until Ctrl-C
	@$(BIN)/mtd lab

demo: ## Lab routers, the daemon and a live view, until Ctrl-C
	@scripts/demo

proto: setup ## Write mtd/pb from proto/
	@scripts/gen_proto

docs: setup ## Write the generated part of docs/reference
	@$(BIN)/python scripts/gen_docs.py

bench: setup ## Measure the whole way (ARGS="--routers 1000 --seconds 60")
	@scripts/bench end2end $(ARGS)

new-plugin: setup ## Start a collector egg (NAME=dhcp)
	@$(BIN)/python scripts/new_plugin.py $(NAME)

coverage: setup ## Tests with branch coverage; the report is in htmlcov/
	@scripts/test --no-checks --cov --cov-report=term --cov-report=html

clean: ## Remove what tools left behind (not .venv)
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis htmlcov .coverage*
