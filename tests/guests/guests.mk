# SPDX-License-Identifier: MIT
#
# The test kernels on the reference; a part of the Makefile.

check-reference: $(GUEST_ELF) $(B)/xen/xen.gz ## the test kernels on Debian's Xen
	$(Q)REFERENCE=1 tests/run/check.sh qemu tests/integration/reference.t

.PHONY: check-reference
