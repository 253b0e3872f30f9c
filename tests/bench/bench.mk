# SPDX-License-Identifier: MIT
#
# The benchmarks' part of the Makefile. Which parts and systems, how often and
# where to is said in the environment or on make's command line, see run.sh.

B ?= build
BENCH_PARTS ?= kernel admin
BENCH_RUNS ?= 3
BENCH_SYSTEMS ?= native xen mica
BENCH_PASSES ?= wall icount
BENCH_OUT := $(B)/bench
BENCH_CC ?= gcc
BENCH_CFLAGS := -std=gnu11 -O2 -Wall -Wextra -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Werror
BENCH_ADMIN := $(BENCH_OUT)/admin
BENCH_MODULES := xenfs xen-privcmd xen-evtchn xen-gntdev
BENCH_TOOLS = $(addprefix $(B)/dom0_tools/,mica stored consoled)

$(BENCH_OUT)/console: tests/bench/console.c tests/bench/bench.mk
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(BENCH_CC) $(BENCH_CFLAGS) -o $@ $<

$(BENCH_OUT)/init: tests/bench/workload.c tests/bench/bench.mk
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(BENCH_CC) $(BENCH_CFLAGS) -static -pthread -o $@ $<

$(BENCH_ADMIN)/admin: tests/bench/admin.c tests/bench/bench.mk
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(BENCH_CC) $(BENCH_CFLAGS) -static -o $@ $<

# A first domain with both tool stacks, for both hypervisors: what check-xl
# runs, and Mica's tools.
$(BENCH_OUT)/admin.img: $(BENCH_ADMIN)/admin tests/bench/admin_init \
		$(XL_OUT)/complete $(B)/guests/echo.elf $(BENCH_TOOLS) \
		$(IMAGE)/initramfs.sh
	$(call say,INITRD,$@)
	@rm -rf $(BENCH_ADMIN)/overlay
	@mkdir -p $(BENCH_ADMIN)/overlay/bench
	$(Q)cp -a $(XL_OUT)/overlay/. $(BENCH_ADMIN)/overlay
	$(Q)cp tests/bench/admin_init $(BENCH_ADMIN)/overlay/init
	$(Q)cp $(BENCH_ADMIN)/admin $(B)/guests/echo.elf \
		$(BENCH_ADMIN)/overlay/bench
	$(Q)TOOLS='$(BENCH_TOOLS)' OVERLAY=$(BENCH_ADMIN)/overlay \
		$(IMAGE)/initramfs.sh $@ $(B)/kernel $(BENCH_MODULES)

bench: $(BENCH_OUT)/console $(B)/kernel/vmlinuz ## compare speed with native and Xen, tools with xl
bench: $(if $(filter kernel,$(BENCH_PARTS)),$(BENCH_OUT)/init)
bench: $(if $(filter admin,$(BENCH_PARTS)),$(BENCH_OUT)/admin.img)
bench: $(if $(filter mica%,$(BENCH_SYSTEMS)),$(B)/mica.gz)
	$(Q)BENCH_PARTS='$(BENCH_PARTS)' BENCH_RUNS='$(BENCH_RUNS)' \
		BENCH_SYSTEMS='$(BENCH_SYSTEMS)' BENCH_PASSES='$(BENCH_PASSES)' \
		BENCH_OUT='$(BENCH_OUT)' BENCH_KERNEL='$(B)/kernel/vmlinuz' \
		BENCH_MICA='$(B)/mica.gz' tests/bench/run.sh

.PHONY: bench
