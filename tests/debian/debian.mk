# SPDX-License-Identifier: MIT
#
# Tests that take longer than "make check" may: a whole distribution as the
# first domain, and minutes of load in it.

DEBIAN_OUT := $(B)/debian
STRESS_OUT := $(B)/stress
STRESS_CFLAGS := -std=gnu11 -O2 -g -Wall -Wextra -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Werror
STRESS_SECONDS ?= 300

$(DEBIAN_OUT)/disk.img: tests/debian/build_image.sh $(B)/kernel/vmlinuz \
		$(TOOL_BIN) $(B)/guests/echo.elf \
		$(wildcard dom0_tools/install/*)
	$(Q)$(MAKE) install PREFIX=/usr/local DESTDIR=$(@D)/install
	@install -D -m 644 $(B)/guests/echo.elf $(@D)/install/srv/echo.elf
	$(call say,DEBIAN,$@)
	$(Q)tests/run/packages.sh --install debootstrap e2fsprogs
	$(Q)tests/debian/build_image.sh $(@D) $(B)/kernel/deb/*.deb

check-debian: $(B)/mica.gz $(DEBIAN_OUT)/disk.img ## a Debian system with systemd from two disks
	$(Q)DEBIAN_DIR=$(DEBIAN_OUT) tests/run/check.sh qemu \
		tests/integration/debian.t

$(STRESS_OUT)/stress: tests/debian/stress.c tests/debian/debian.mk
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(STRESS_CFLAGS) -static -pthread -o $@ $<

# Without a C library, which is not there for 32 bits.
$(STRESS_OUT)/calls32: tests/debian/calls32.S
	$(call say,AS,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -m32 -nostdlib -static -no-pie -Wl,--build-id=none -o $@ $<

check-stress: $(B)/mica.gz $(B)/kernel/vmlinuz $(STRESS_OUT)/stress $(STRESS_OUT)/calls32 ## STRESS_SECONDS (300) of load in the first domain
	$(Q)STRESS_DIR=$(STRESS_OUT) STRESS_SECONDS=$(STRESS_SECONDS) \
		tests/run/check.sh qemu tests/debian/stress.t

XL_OUT := $(B)/xl

$(XL_OUT)/complete: $(addprefix tests/debian/xl_,overlay.sh guest_init guest.cfg) $(B)/kernel/vmlinuz
	$(call say,XL,$@)
	@mkdir -p $(@D)
	$(Q)tests/debian/xl_overlay.sh $(@D) $(B)/kernel/vmlinuz
	@touch $@

check-xl: $(B)/mica.gz $(XL_OUT)/complete $(B)/dom0_tools/mica ## Debian's own tool stack starts and ends guests
	$(Q)XL_DIR=$(XL_OUT) tests/run/check.sh qemu tests/debian/xl.t

.PHONY: check-debian check-stress check-xl
