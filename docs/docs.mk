# SPDX-License-Identifier: MIT
#
# What of the documents is made from the sources: the table of hypercalls, and
# whatever `mica` knows of its verbs and settings.

MANUALS := $(B)/man/mica.1 $(B)/man/mica.cfg.5
COMPLETION := $(B)/completion/mica
MICA_TOOL := $(B)/dom0_tools/mica

# $(call manual,part): a page with what the tool says in place of @PART@.
manual = $(MICA_TOOL) help --manual $(1) | \
	sed -e '/^@[A-Z]*@$$/{r /dev/stdin' -e 'd}' $< >$@

$(B)/man/mica.1: docs/mica.1.in $(MICA_TOOL)
	$(call say,GEN,$@)
	@mkdir -p $(@D)
	$(Q)$(call manual,verbs)

$(B)/man/mica.cfg.5: docs/mica.cfg.5.in $(MICA_TOOL)
	$(call say,GEN,$@)
	@mkdir -p $(@D)
	$(Q)$(call manual,settings)

$(COMPLETION): $(MICA_TOOL)
	$(call say,GEN,$@)
	@mkdir -p $(@D)
	$(Q)$(MICA_TOOL) help --completion bash >$@

docs: $(MANUALS) $(COMPLETION) ## manual pages; docs/abi.md, docs/verbs.md anew
	$(call say,GEN,docs/abi.md)
	$(Q)tests/run/abi_table.sh
	$(call say,GEN,docs/verbs.md)
	$(Q)$(MICA_TOOL) help --manual markdown >docs/verbs.md

docs-check: $(MICA_TOOL) ## whether docs/abi.md and docs/verbs.md are up to date
	$(Q)tests/run/abi_table.sh --check
	$(Q)$(MICA_TOOL) help --manual markdown | cmp - docs/verbs.md

.PHONY: docs docs-check
