# SPDX-License-Identifier: MIT
#
# What of the documents is made from the sources.

docs: ## write docs/abi.md anew
	$(call say,GEN,docs/abi.md)
	$(Q)tests/run/abi_table.sh

docs-check: ## whether docs/abi.md is up to date
	$(Q)tests/run/abi_table.sh --check

.PHONY: docs docs-check
