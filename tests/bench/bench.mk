# SPDX-License-Identifier: MIT
#
# The benchmarks' part of the Makefile. Which systems, how often and where to
# is said in the environment or on make's command line, see run.sh.

B ?= build
BENCH_RUNS ?= 3
BENCH_SYSTEMS ?= native xen mica
BENCH_PASSES ?= wall icount
BENCH_OUT := $(B)/bench
BENCH_CC ?= gcc
BENCH_CFLAGS := -std=gnu11 -O2 -Wall -Wextra -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Werror

$(BENCH_OUT)/console: tests/bench/console.c tests/bench/bench.mk
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(BENCH_CC) $(BENCH_CFLAGS) -o $@ $<

$(BENCH_OUT)/init: tests/bench/workload.c tests/bench/bench.mk
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(BENCH_CC) $(BENCH_CFLAGS) -static -pthread -o $@ $<

bench: $(BENCH_OUT)/console $(BENCH_OUT)/init $(B)/kernel/vmlinuz ## compare speed with native and Xen
bench: $(if $(filter mica%,$(BENCH_SYSTEMS)),$(B)/mica.gz)
	$(Q)BENCH_RUNS='$(BENCH_RUNS)' BENCH_SYSTEMS='$(BENCH_SYSTEMS)' \
		BENCH_PASSES='$(BENCH_PASSES)' BENCH_OUT='$(BENCH_OUT)' \
		BENCH_KERNEL='$(B)/kernel/vmlinuz' BENCH_MICA='$(B)/mica.gz' \
		tests/bench/run.sh

.PHONY: bench
