# Every target sets up what it needs. The logic is in host_tools, so that this file stays a table.

PYTHON := .venv/bin/python
READY := .venv/.ready

# "--name value" for each variable that is set
option = $(if $($(1)),--$(2) $(call quoted,$($(1))))
# for the shell, also with apostrophes
quoted = '$(subst ','\'',$(1))'
# $(call only,NAMES) ends a target when a variable on the command line is none of its own, or has no value; ARGS may be empty
only = $(foreach each,$(filter-out -% MAKE% PYTHON $(1),$(.VARIABLES)),$(if $(call asked,$(each)),$(error \
	$(each) is not a variable of `make $@`; it has $(or $(strip $(1)),none))))$(foreach each,$(filter-out \
	ARGS,$(1)),$(if $(call asked,$(each)),$(if $(strip $($(each))),,$(error $(each) is empty: give it a value, or omit it))))
asked = $(filter command,$(firstword $(origin $(1))))
# the node, or an error
needed = $(call quoted,$(or $(NODE),$(error $(1) is needed)))
run_options = $(call option,DURATION,duration) $(call option,DATA,data) $(call option,START,start) \
	$(call option,SPEED,speed) $(call option,GRID_W,grid-w) $(call option,SEED,seed) $(call option,LEARN,learn) $(call option,GOSSIP,gossip) $(call option,COMMUNITY,community) $(call option,HOLONS,holons) $(call option,TRUST,trust) $(call option,OUT,out) $(call option,NETNS,netns) $(call option,NODES,nodes) \
	$(call option,DELAY_MS,delay-ms) $(call option,LOSS,loss) $(call option,PUSH,push) $(call option,PUSH_TOKEN,push-token)
sim_options = $(call option,NODES,nodes) $(call option,HOURS,hours) $(call option,POLICY,policy) \
	$(call option,DATA,data) $(call option,START,start) $(call option,SEED,seed) $(call option,LEARN,learn) \
	$(if $(filter-out 0,$(GOSSIP)),--gossip) $(call option,OUT,out)
field_options = $(call option,SEEDS,seeds) $(call option,FIRST,first)
storm_options = $(call option,SEEDS,seeds) $(call option,FIRST,first) $(call option,OUT,out)
attack_options = $(call option,ONLY,only) $(call option,SECONDS,seconds) $(call option,OUT,out)
fuzz_options = $(call option,TARGET,target) $(call option,SECONDS,seconds) $(call option,OUT,out)
eval_options = --data $(call quoted,$(or $(DATA),$(error DATA=file or folder is needed))) $(call option,MODEL,model) $(call option,SEED,seed) \
	$(call option,OUT,out)
image_test_options = $(call option,MACHINE,machine) $(call option,SEED,seed) $(call option,POWER_CUTS,cuts) \
	$(call option,OUT,out)
deploy_options = $(call option,HOST,host) $(call option,PORT,port) $(call option,IDENTITY,identity) \
	$(if $(filter-out 0,$(DRY)),--dry)
memtest_options = $(call option,DURATION,duration) $(call option,LIMIT_MB,limit-mb) $(call option,LEARN,learn) \
	$(if $(filter-out 0,$(GOSSIP)),--gossip) $(call option,BROWSERS,browsers)

SCENARIO ?= realistic
JOBS ?= 4
storm: SEEDS ?= 1975
storm: FIRST ?= 25
fieldtest: SEEDS ?= 1000
provision: NODE ?= all

.DEFAULT_GOAL := help
.PHONY: help setup run demo sim eval storm fieldtest attack fuzz ha-test test long-test lint format package package-test deb constraints bench screens memtest image \
	image-test deploy provision micropython clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## create the virtual environment and install what is missing

run: $(READY) ## run a microgrid on this machine (DURATION= DATA= START= SPEED= GRID_W= LEARN= GOSSIP= COMMUNITY= HOLONS= TRUST= PUSH= PUSH_TOKEN= SEED= OUT=), or dozens of nodes in network namespaces (NETNS=1 NODES= DELAY_MS= LOSS= SEED= TRUST= OUT=)
	$(call only,DURATION DATA START SPEED GRID_W LEARN GOSSIP COMMUNITY HOLONS TRUST SEED OUT NETNS NODES DELAY_MS LOSS PUSH PUSH_TOKEN)
	$(PYTHON) -m host_tools run $(strip $(run_options))

demo: $(READY) ## play a made-up recording of four buildings, and show their pages (SPEED= DURATION= OUT=)
	$(call only,SPEED DURATION OUT)
	$(PYTHON) -m host_tools demo $(strip $(call option,SPEED,speed) $(call option,DURATION,duration) $(call option,OUT,out))

sim: $(READY) ## simulate a scenario (SCENARIO= NODES= HOURS= POLICY= DATA= START= LEARN= GOSSIP= SEED= OUT= ARGS=)
	$(call only,SCENARIO NODES HOURS POLICY DATA START LEARN GOSSIP SEED OUT ARGS)
	$(PYTHON) -m host_tools sim $(call quoted,$(SCENARIO)) $(strip $(sim_options)) $(ARGS)

eval: $(READY) ## evaluate the predictions of models on measured data (DATA= MODEL= SEED= OUT= ARGS=)
	$(call only,DATA MODEL SEED OUT ARGS)
	$(PYTHON) -m host_tools eval $(strip $(eval_options)) $(ARGS)

storm: $(READY) ## simulate random faults, with seeds that make test does not use (SEEDS= FIRST= OUT= ARGS=)
	$(call only,SEEDS FIRST OUT ARGS)
	$(PYTHON) -m host_tools storm $(strip $(storm_options)) $(ARGS)

fieldtest: $(READY) ## simulate nodes whose meters, links and brokers misbehave at random, an hour each (SEEDS= FIRST= ARGS=)
	$(call only,SEEDS FIRST ARGS)
	$(PYTHON) -m host_tools fieldtest $(strip $(field_options)) $(ARGS)

attack: $(READY) ## let one member of a real microgrid attack the others (ONLY= SECONDS= OUT= ARGS=)
	$(call only,ONLY SECONDS OUT ARGS)
	$(PYTHON) -m host_tools attack $(strip $(attack_options)) $(ARGS)

fuzz: $(READY) ## try damaged inputs on everything that reads bytes of others, an hour in all (TARGET= SECONDS= OUT= ARGS=)
	$(call only,TARGET SECONDS OUT ARGS)
	$(PYTHON) -m host_tools fuzz $(strip $(fuzz_options)) $(ARGS)

ha-test: $(READY) ## try two nodes with a real Home Assistant, which is installed into build/ha (ARGS=--python=...)
	$(call only,ARGS)
	$(PYTHON) -m host_tools ha-test $(ARGS)

test: $(READY) ## run all tests, JOBS=4 at a time; ARGS= for pytest runs some of them, one by one
	$(call only,JOBS ARGS)
	$(PYTHON) -m pytest $(or $(ARGS),-n $(JOBS) --dist worksteal)

long-test: $(READY) ## run the long tests, which make test skips (ARGS= for pytest)
	$(call only,ARGS)
	$(PYTHON) -m pytest -m proof $(ARGS)

lint: $(READY) ## check style, formatting and types
	$(call only,)
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy

format: $(READY) ## fix style and format the sources
	$(call only,)
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

package: $(READY) ## build the wheel and the sdist into build/dist
	$(call only,)
	$(PYTHON) -m host_tools.package build

package-test: $(READY) ## build them, and try the wheel in an empty virtual environment
	$(call only,)
	$(PYTHON) -m host_tools.package test

deb: $(READY) ## build the Debian packages for arm64 and amd64 into build/dist
	$(call only,)
	$(PYTHON) -m host_tools.package deb

constraints: $(READY) ## upgrade all packages; write constraints.txt and the checksums of the wheels of a release
	$(call only,)
	$(PYTHON) -m host_tools.setup.constraints

bench: $(READY) ## measure speed and memory (ARGS=)
	$(call only,ARGS)
	$(PYTHON) -m host_tools bench $(ARGS)

screens: $(READY) ## take screenshots of the dashboard into build/screens, and those of the README
	$(call only,)
	$(PYTHON) -m host_tools.page.screens --readme

memtest: $(READY) ## run a full node under a memory limit (DURATION= LIMIT_MB= LEARN= GOSSIP= BROWSERS=)
	$(call only,DURATION LIMIT_MB LEARN GOSSIP BROWSERS)
	$(PYTHON) -m host_tools memtest $(strip $(memtest_options))

image: $(READY) ## build the SD-card image of a provisioned node (NODE=)
	$(call only,NODE)
	$(PYTHON) -m host_tools image $(call needed,NODE=name)

image-test: $(READY) ## boot that image in qemu and test it (NODE= MACHINE=virt|raspi3b|both POWER_CUTS=3 SEED= OUT= ARGS=)
	$(call only,NODE MACHINE POWER_CUTS SEED OUT ARGS)
	$(PYTHON) -m host_tools image-test $(call needed,NODE=name) $(strip $(image_test_options)) $(ARGS)

deploy: $(READY) ## install this version on a running node, or on all with NODE=all (NODE= HOST= PORT= IDENTITY= DRY=1 ARGS=)
	$(call only,NODE HOST PORT IDENTITY DRY ARGS)
	$(PYTHON) -m host_tools deploy $(call needed,NODE=name or NODE=all) $(strip $(deploy_options)) $(ARGS)

provision: $(READY) ## create keys and configurations of nodes (NODE= ARGS="--check --rotate --revoke ...")
	$(call only,NODE ARGS)
	$(PYTHON) -m host_tools provision $(call quoted,$(NODE)) $(ARGS)

micropython: $(READY) ## find or download MicroPython; run a script in it (ARGS="script.py ...")
	$(PYTHON) -m host_tools.setup.micropython $(ARGS)

clean: ## remove everything that was built or downloaded here
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml setup.py constraints.txt
	python3 host_tools/setup/bootstrap.py
	@touch $@
