# SPDX-License-Identifier: MIT
#
# Puts Mica and its tools onto a distribution. Only install.sh knows what goes
# where.

PREFIX ?= /usr/local
DESTDIR ?=
INSTALL_SH = B='$(B)' TOOLS='$(TOOL_BIN)' PREFIX='$(PREFIX)' \
	DESTDIR='$(DESTDIR)' dom0_tools/install/install.sh

install: $(TOOL_BIN) $(MANUALS) $(COMPLETION) $(B)/mica.gz ## below PREFIX (/usr/local), /boot and /etc; DESTDIR
	$(call say,INSTALL,$(DESTDIR)$(PREFIX))
	$(Q)$(INSTALL_SH)

uninstall: ## remove it again; /etc/mica/*.cfg stay
	$(call say,REMOVE,$(DESTDIR)$(PREFIX))
	$(Q)$(INSTALL_SH) --remove

.PHONY: install uninstall
