# SPDX-License-Identifier: MIT
#
# The way in: "make help" lists what can be made, Kconfig says what can be
# chosen. Everything that is made lies under build/.
#
#   V=1        show the commands
#   CC=clang   another compiler (gcc and clang work)

ifneq ($(words $(CURDIR)),1)
$(error The path of this directory contains a space, which make cannot handle)
endif

MAKEFLAGS += --no-builtin-rules --no-builtin-variables --no-print-directory
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all
FORCE:

ifneq ($(filter default undefined,$(origin CC)),)
CC := gcc
endif
AR := ar
LD := ld
NM := nm
OBJCOPY := objcopy

export LC_ALL := C
export B
export SOURCE_DATE_EPOCH ?= 1700000000

B := build
GEN := $(B)/include/generated

# ---- Debian packages -------------------------------------------------------

PACKAGES_BUILD := gcc libc6-dev binutils make kconfig-frontends-nox gzip \
	liblzma-dev libzstd-dev zlib1g-dev liblz4-dev libjansson-dev \
	libncurses-dev linux-libc-dev
PACKAGES_RUN := $(PACKAGES_BUILD) qemu-system-x86 ovmf grub-common \
	grub-pc-bin grub-efi-amd64-bin xorriso mtools busybox-static cpio \
	kmod
PACKAGES_LINT := $(PACKAGES_BUILD) clang clang-format perl
PACKAGES_FUZZ := $(PACKAGES_BUILD) clang libclang-rt-14-dev
PACKAGES_CHECK := $(PACKAGES_RUN) $(PACKAGES_LINT) check pkg-config perl \
	libxen-dev linux-libc-dev gdb

# Which of these lists a goal needs, and whether it may install them. This is
# decided before anything is built, and not at all by "make -n".
GOALS := $(or $(MAKECMDGOALS),all)
ifneq ($(filter check check-%,$(GOALS)),)
packages := --install $(PACKAGES_CHECK)
else ifneq ($(filter run image bench,$(GOALS)),)
packages := --install $(PACKAGES_RUN)
else ifneq ($(filter lint format,$(GOALS)),)
packages := $(PACKAGES_LINT)
else ifneq ($(filter fuzz-image,$(GOALS)),)
packages := $(PACKAGES_FUZZ)
else ifneq ($(filter-out help clean packages uninstall,$(GOALS)),)
packages := $(PACKAGES_BUILD)
endif
ifneq ($(findstring n,$(filter-out --%,$(firstword -$(MAKEFLAGS)))),n)
ifneq ($(packages),)
ifneq ($(shell tests/run/packages.sh $(packages) >&2 && echo ready),ready)
$(error Packages are missing)
endif
endif
endif

# ---- Output ----------------------------------------------------------------

# $(call say,WORD,file): the one line of a quiet build.
ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-7s %s\n' '$(1)' '$(2)'
endif

# $(call stamp,file,text): a file that changes when the text does. Whatever is
# made from a command line depends on the stamp that holds it.
define stamp
$(1): FORCE
	@mkdir -p $$(@D)
	@printf '%s\n' '$(2)' | cmp -s - $$@ || printf '%s\n' '$(2)' >$$@
endef

CC_VERSION := $(shell $(CC) --version 2>/dev/null | head -n 1)
IS_CLANG := $(findstring clang,$(CC_VERSION))

# ---- Configuration ---------------------------------------------------------

CONFIG := $(B)/config
CONFIG_H := $(GEN)/config.h
export KCONFIG_CONFIG := $(CONFIG)

# Brings an older configuration up to date, takes defaults without asking.
$(CONFIG): Kconfig
	$(call say,CONFIG,$@)
	@mkdir -p $(@D)
	$(Q)kconfig-conf --olddefconfig Kconfig >$@.log 2>&1 \
		|| { cat $@.log >&2; exit 1; }
	@rm -f $@.log $@.old
	@touch $@

# The header defines every symbol: booleans as 0 or 1, the rest as they are.
# It is written anew only when its text changes.
$(GEN)/config.stamp: Kconfig $(CONFIG)
	@mkdir -p $(@D)
	$(Q)awk -f tests/run/config_header.awk Kconfig $(CONFIG) >$(CONFIG_H).new
	@cmp -s $(CONFIG_H).new $(CONFIG_H) || { \
		$(if $(Q),printf '  %-7s %s\n' GEN $(CONFIG_H);) \
		cp $(CONFIG_H).new $(CONFIG_H); }
	@rm -f $(CONFIG_H).new
	@touch $@

$(CONFIG_H): $(GEN)/config.stamp
	@test -f $@ || { rm -f $<; $(MAKE) $<; }

menuconfig: ## choose options in a menu
	@mkdir -p $(B)
	$(Q)kconfig-mconf Kconfig
	@rm -f $(CONFIG).old

defconfig: ## go back to default options, or to those of DEFCONFIG=file
	@mkdir -p $(B)
	$(Q)kconfig-conf $(if $(DEFCONFIG),--defconfig=$(DEFCONFIG),--alldefconfig) \
		Kconfig >/dev/null
	@rm -f $(CONFIG).old

savedefconfig: $(CONFIG) ## write the options that differ to build/defconfig
	$(Q)kconfig-conf --savedefconfig=$(B)/defconfig Kconfig >/dev/null
	@rm -f $(CONFIG).old
	@echo '  $(B)/defconfig'

# What the link needs to know of the configuration. Without a configuration
# file make builds it first and then starts over.
ifneq ($(filter-out help clean packages menuconfig defconfig format,$(GOALS)),)
$(B)/config.mk: $(CONFIG)
	@sed -n '/^CONFIG_/p' $< >$@
include $(B)/config.mk
endif

# ---- The hypervisor --------------------------------------------------------

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wundef -Werror
INCLUDES := -Ihypervisor -I. -I$(B)/include
MAP := -ffile-prefix-map=$(CURDIR)=.
DEPS = -MMD -MP -MF $(@:.o=.d)

# No SSE, no red zone, no stack protector; position independent code for a
# fixed address, since the image lies too high for the small model's absolute
# addresses.
FREESTANDING := -ffreestanding -fno-stack-protector -fno-common \
	-fno-asynchronous-unwind-tables -fno-unwind-tables -fvisibility=hidden \
	-fno-strict-aliasing -fno-omit-frame-pointer -fcf-protection=none \
	-mno-red-zone -mgeneral-regs-only -mcmodel=small -fpie
ifneq ($(IS_CLANG),)
FREESTANDING += -fdirect-access-external-data
OFFSETS_FLAGS := -fno-integrated-as
RETPOLINE := -mretpoline -mretpoline-external-thunk
else
RETPOLINE := -mindirect-branch=thunk-extern -mindirect-branch-register \
	-fno-jump-tables
endif

TARGET_BASE := -O2 -g $(WARNINGS) $(MAP) $(FREESTANDING) $(RETPOLINE) \
	-include $(CONFIG_H) $(INCLUDES)
core_std := -std=c11
x86_std := -std=gnu11
TARGET_ASFLAGS := -g $(MAP) $(FREESTANDING) \
	-include $(CONFIG_H) $(INCLUDES)

# What the configuration leaves out of the link.
CONFIGURED_OUT := \
	$(if $(CONFIG_KERNEL_XZ),,hypervisor/core/unpack_xz.c) \
	$(if $(CONFIG_KERNEL_ZSTD),,hypervisor/core/unpack_zstd.c) \
	$(if $(CONFIG_KERNEL_GZIP),,hypervisor/core/unpack_gzip.c)

CORE_SRC := $(filter-out $(CONFIGURED_OUT),$(sort $(wildcard hypervisor/core/*.c)))
X86_SRC := $(sort $(filter-out %/asm_offsets.c,$(wildcard hypervisor/x86/*.c)))
ASM_SRC := $(sort $(wildcard hypervisor/x86/*.S))
ASM_SRC := $(filter-out %.lds.S,$(ASM_SRC))
CORE_OBJ := $(CORE_SRC:%.c=$(B)/obj/%.o)
X86_OBJ := $(X86_SRC:%.c=$(B)/obj/%.o)
ASM_OBJ := $(ASM_SRC:%.S=$(B)/obj/%.S.o)
HV_OBJ := $(CORE_OBJ) $(X86_OBJ) $(ASM_OBJ)

# gcc compiles all C files but those that stand in for the C library once more
# as one, so that small functions of other modules are inlined. Linking with
# ld takes an ordinary object; clang's would need another linker.
LTO_OBJ := $(if $(IS_CLANG),,$(filter-out %/string.o %/libc_shims.o \
	$(B)/obj/hypervisor/core/unpack_%.o,$(CORE_OBJ) $(X86_OBJ)))
LTO_FLAGS := -flto -ffat-lto-objects
LINK_OBJ := $(if $(LTO_OBJ),$(B)/obj/joined.o) $(filter-out $(LTO_OBJ),$(HV_OBJ))
$(LTO_OBJ): TARGET_LTO := $(LTO_FLAGS)

$(eval $(call stamp,$(B)/flags/target,$(CC) $(CC_VERSION) $(TARGET_BASE) $(core_std) $(x86_std) $(TARGET_ASFLAGS) $(LTO_FLAGS)))

$(B)/obj/hypervisor/core/%.o: hypervisor/core/%.c $(B)/flags/target $(CONFIG_H)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(core_std) $(TARGET_BASE) $(TARGET_LTO) $(DEPS) -c -o $@ $<

$(B)/obj/hypervisor/x86/%.o: hypervisor/x86/%.c $(B)/flags/target $(CONFIG_H)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(x86_std) $(TARGET_BASE) $(TARGET_LTO) $(DEPS) -c -o $@ $<

$(B)/obj/joined.o: $(LTO_OBJ)
	$(call say,LTO,$@)
	$(Q)$(CC) $(TARGET_BASE) -flto=1 -flto-partition=one -nostdlib -r \
		-flinker-output=nolto-rel -o $@ $^

$(B)/obj/hypervisor/x86/%.S.o: hypervisor/x86/%.S $(B)/flags/target \
		$(CONFIG_H) $(GEN)/asm_offsets.h
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(TARGET_ASFLAGS) $(DEPS) -c -o $@ $<

# Lines of the form "->NAME $value" in the assembly become constants.
$(B)/obj/hypervisor/x86/asm_offsets.s: hypervisor/x86/asm_offsets.c \
		$(B)/flags/target $(CONFIG_H)
	@mkdir -p $(@D)
	$(Q)$(CC) $(x86_std) $(TARGET_BASE) $(OFFSETS_FLAGS) \
		-MMD -MP -MF $(@:.s=.d) -S -o $@ $<

$(GEN)/asm_offsets.h: $(B)/obj/hypervisor/x86/asm_offsets.s
	$(call say,GEN,$@)
	@mkdir -p $(@D)
	$(Q)sed -n 's/^.*->\([A-Za-z0-9_]*\) \$$*\(-\{0,1\}[0-9]*\).*/#define \1 \2/p' $< >$@

$(B)/link.lds: hypervisor/x86/link.lds.S $(B)/flags/target $(CONFIG_H)
	$(call say,LDS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -E -P -x assembler-with-cpp $(TARGET_ASFLAGS) \
		-MMD -MP -MF $@.d -MT $@ -o $@ $<

# Distributions' own libraries unpack the first domain's kernel.
LIBS := $(if $(CONFIG_KERNEL_XZ),liblzma.a) \
	$(if $(CONFIG_KERNEL_ZSTD),libzstd.a) $(if $(CONFIG_KERNEL_GZIP),libz.a)
LIB_FILES := $(foreach l,$(LIBS),$(shell $(CC) -print-file-name=$(l) 2>/dev/null))
LDFLAGS := -m elf_x86_64 -nostdlib -static --no-relax -z max-page-size=4096 \
	-z noexecstack --no-warn-rwx-segments --build-id=sha1

$(eval $(call stamp,$(B)/flags/link,$(LD) $(LDFLAGS) $(LINK_OBJ) $(LIB_FILES)))

# $(call link,symbols object,more): one pass of the link.
link = $(LD) $(LDFLAGS) -T $(B)/link.lds -Map=$(B)/mica.map -o $@ \
	--start-group $(LINK_OBJ) $(1) $(LIB_FILES) --end-group

SYMBOLS_AWK := tests/run/symbols.awk

# The image contains its own symbol table, so it is linked three times: with
# an empty table, with one of the right size but for the old addresses, and
# with the final one, which the result is compared to.
$(B)/symbols0.S: $(SYMBOLS_AWK)
	@mkdir -p $(@D)
	$(Q)awk -f $(SYMBOLS_AWK) </dev/null >$@

$(B)/symbols1.S: $(B)/mica.pass0
$(B)/symbols2.S: $(B)/mica.pass1
$(B)/symbols1.S $(B)/symbols2.S: $(SYMBOLS_AWK)
	$(Q)$(NM) -n $(filter %.pass0 %.pass1,$^) | awk -f $(SYMBOLS_AWK) >$@

$(B)/symbols%.o: $(B)/symbols%.S
	$(Q)$(CC) $(FREESTANDING) -c -o $@ $<

$(B)/mica.pass0: $(B)/symbols0.o
$(B)/mica.pass1: $(B)/symbols1.o
$(B)/mica.pass0 $(B)/mica.pass1: $(LINK_OBJ) $(B)/link.lds $(B)/flags/link
	$(call say,LD,$@)
	$(Q)$(call link,$(filter $(B)/symbols%,$^))

$(B)/mica.debug: $(B)/symbols2.o $(B)/mica.pass1
	$(call say,LD,$@)
	$(Q)$(call link,$<)
	$(Q)$(NM) -n $@ >$(B)/mica.sym
	$(Q)awk -f $(SYMBOLS_AWK) $(B)/mica.sym | cmp -s - $(B)/symbols2.S || \
		{ echo 'The symbol table does not settle' >&2; exit 1; }

$(B)/mica: $(B)/mica.debug
	$(call say,STRIP,$@)
	$(Q)$(OBJCOPY) --strip-all $< $@

$(B)/mica.gz: $(B)/mica
	$(call say,GZIP,$@)
	$(Q)gzip -9 -n -c $< >$@

hypervisor: $(B)/mica $(B)/mica.gz ## build/mica, build/mica.gz, build/mica.debug

-include $(HV_OBJ:.o=.d) $(B)/obj/hypervisor/x86/asm_offsets.d $(B)/link.lds.d

# ---- Test kernels ----------------------------------------------------------

GUEST_NAMES := $(filter-out lib,$(notdir $(patsubst %/,%,$(wildcard tests/guests/*/))))
GUEST_ELF := $(GUEST_NAMES:%=$(B)/guests/%.elf)
GUEST_CFLAGS := -std=gnu11 -O2 -g $(WARNINGS) $(MAP) $(FREESTANDING) \
	-Itests/guests/lib -I. -I$(B)/include
GUEST_ASFLAGS := -g $(MAP) $(FREESTANDING) -Itests/guests/lib -I.
GUEST_LIB_OBJ := $(patsubst %,$(B)/obj/%.o,$(sort \
	$(wildcard tests/guests/lib/*.c tests/guests/lib/*.S)))
guest_obj = $(patsubst %,$(B)/obj/%.o,$(sort \
	$(wildcard tests/guests/$(1)/*.c tests/guests/$(1)/*.S)))

# A test kernel may bring a linker script of its own.
guest_lds = $(firstword $(wildcard tests/guests/$(1)/guest.lds) \
	tests/guests/lib/guest.lds)

$(eval $(call stamp,$(B)/flags/guests,$(CC) $(CC_VERSION) $(GUEST_CFLAGS) $(GUEST_ASFLAGS)))

$(B)/obj/tests/guests/%.c.o: tests/guests/%.c $(B)/flags/guests
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(GUEST_CFLAGS) $(DEPS) -c -o $@ $<

$(B)/obj/tests/guests/%.S.o: tests/guests/%.S $(B)/flags/guests
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(GUEST_ASFLAGS) $(DEPS) -c -o $@ $<

define guest
$(eval $(call stamp,$(B)/flags/guest-$(1),$(call guest_obj,$(1)) $(GUEST_LIB_OBJ)))
$(B)/guests/$(1).elf: $(call guest_obj,$(1)) $(GUEST_LIB_OBJ) \
		$(call guest_lds,$(1)) $(B)/flags/guest-$(1)
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$$(Q)$(LD) -m elf_x86_64 -nostdlib -static -z max-page-size=4096 \
		-z noexecstack --no-warn-rwx-segments --build-id=none \
		-T $(call guest_lds,$(1)) -o $$@ \
		$(call guest_obj,$(1)) $(GUEST_LIB_OBJ)
-include $(patsubst %.o,%.d,$(call guest_obj,$(1)))
endef
$(foreach g,$(GUEST_NAMES),$(eval $(call guest,$(g))))
-include $(GUEST_LIB_OBJ:.o=.d)

guests: $(GUEST_ELF) ## the test kernels in build/guests/

# ---- The first domain's tools ----------------------------------------------

include dom0_tools/tools.mk

# ---- The first domain and the disk image -----------------------------------

KERNEL ?= $(B)/kernel/vmlinuz
INITRD ?= $(B)/dom0/guests.img
HYPERVISOR ?= $(B)/mica.gz
MODULES ?= e1000 virtio_net virtio_pci virtio_blk ahci sd_mod ext4
MODULES += xenfs xen-privcmd xen-evtchn xen-gntdev
OVERLAY ?=
IMAGE := dom0_tools/image

$(B)/kernel/vmlinuz:
	$(call say,FETCH,$@)
	$(Q)$(IMAGE)/fetch_kernel.sh $(B)/kernel

# Xen, the yardstick.
$(B)/xen/xen.gz:
	$(call say,FETCH,$@)
	$(Q)$(IMAGE)/fetch_deb.sh xen-hypervisor-4.17-amd64 $(B)/xen
	@ln -sf root/boot/xen-4.17-amd64.gz $@

# GRUB as the kernel of a guest.
$(B)/grub-xen/complete:
	$(call say,FETCH,$@)
	$(Q)$(IMAGE)/fetch_deb.sh grub-xen-bin $(@D)

$(eval $(call stamp,$(B)/flags/initrd,$(MODULES) $(TOOL_BIN) $(OVERLAY)))

$(B)/dom0/initrd.img: $(B)/kernel/vmlinuz $(B)/flags/initrd $(TOOL_BIN) \
		$(addprefix $(IMAGE)/,initramfs.sh init tour udhcpc) \
		$(if $(OVERLAY),$(shell find $(OVERLAY) -type f))
	$(call say,INITRD,$@)
	@mkdir -p $(@D)
	$(Q)TOOLS='$(TOOL_BIN)' OVERLAY='$(OVERLAY)' $(IMAGE)/initramfs.sh $@ $(B)/kernel $(MODULES)

# The same with two guests in it, for people.
$(B)/dom0/guests.img: $(B)/dom0/initrd.img $(B)/guests/echo.elf \
		$(IMAGE)/guests.sh
	$(call say,INITRD,$@)
	$(Q)$(IMAGE)/guests.sh $(B)/dom0/guests $(B)/kernel/vmlinuz \
		$(B)/guests/echo.elf
	$(Q)$(if $(OVERLAY),cp -a $(OVERLAY)/. $(B)/dom0/guests)
	$(Q)TOOLS='$(TOOL_BIN)' OVERLAY=$(B)/dom0/guests \
		$(IMAGE)/initramfs.sh $@ $(B)/kernel $(MODULES)

# The options a distribution's entry for Xen would have, then the user's. Half
# of the memory is for guests.
MEM ?= 2048
DOM0_MEM ?= $(shell echo $$(($(MEM) / 2)))M
MICA_OPTIONS = $(strip com1=115200,8n1 console=com1 dom0_mem=$(DOM0_MEM) \
	$(MICA_CMDLINE))
KERNEL_OPTIONS = $(strip console=hvc0 $(CMDLINE) $(TOUR:--%=mica.%))

# Without a terminal the first domain gives a tour of itself.
TOUR :=
ifneq ($(filter run,$(GOALS)),)
ifneq ($(shell test -t 0 && echo terminal),terminal)
TOUR := --tour
endif
endif

$(eval $(call stamp,$(B)/flags/iso,$(HYPERVISOR) $(KERNEL) $(INITRD) $(MICA_OPTIONS) $(KERNEL_OPTIONS)))

$(B)/mica.iso: $(HYPERVISOR) $(KERNEL) $(INITRD) $(IMAGE)/iso.sh $(B)/flags/iso
	$(call say,ISO,$@)
	$(Q)MICA_CMDLINE='$(MICA_OPTIONS)' CMDLINE='$(KERNEL_OPTIONS)' \
		$(IMAGE)/iso.sh $@ $(HYPERVISOR) $(KERNEL) '$(INITRD)'

image: $(B)/mica.iso ## build/mica.iso, which boots Mica with a stock kernel

run: $(B)/mica.iso ## boot it in QEMU: MEM SMP CPU UEFI KERNEL INITRD CMDLINE
	$(Q)tests/run/run.sh $(TOUR) $<

# ---- Tests on this computer ------------------------------------------------

SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all
HOST_CFLAGS := -std=gnu11 -g -O1 -fno-omit-frame-pointer $(WARNINGS) $(MAP) \
	$(SANITIZE) -include $(CONFIG_H) $(INCLUDES) -Itests
HOST_LIBS := $(TOOL_LIBS)

# What of x86 is portable.
PORTABLE_X86 := acpi cpuid_policy insn_decode memory_map msi \
	multiboot2 pte_store topology

# core's string.c would hide the sanitizers' own versions of its functions.
HOST_SRC := $(filter-out %/core/string.c,$(CORE_SRC)) \
	$(wildcard $(PORTABLE_X86:%=hypervisor/x86/%.c)) \
	$(sort $(wildcard tests/host/*.c))
HOST_OBJ := $(HOST_SRC:%.c=$(B)/host/%.o)
UNITS := $(patsubst tests/unit/%.c,%,$(sort $(wildcard tests/unit/test_*.c)))
UNIT_BIN := $(UNITS:%=$(B)/tests/%)
# test_x.c and its helpers x_*.c.
unit_obj = $(patsubst %.c,$(B)/host/%.o,tests/unit/$(1).c \
	$(wildcard tests/unit/$(patsubst test_%,%,$(1))_*.c))

$(eval $(call stamp,$(B)/flags/host,$(CC) $(CC_VERSION) $(HOST_CFLAGS) $(HOST_OBJ)))

$(B)/host/%.o: %.c $(B)/flags/host $(CONFIG_H)
	$(call say,HOSTCC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOST_CFLAGS) $$(pkg-config --cflags check) $(DEPS) -c -o $@ $<

$(B)/host/libmica.a: $(HOST_OBJ)
	$(call say,AR,$@)
	@rm -f $@
	$(Q)$(AR) rcsD $@ $^

define unit
$(B)/tests/$(1): $(call unit_obj,$(1)) $(call tool_archives,$(1)) \
		$(B)/host/libmica.a
	$$(call say,HOSTLD,$$@)
	@mkdir -p $$(@D)
	$$(Q)$(CC) $(SANITIZE) -o $$@ $(call unit_obj,$(1)) \
		$(call tool_archives,$(1)) $(B)/host/libmica.a \
		$$$$(pkg-config --libs check) $(HOST_LIBS)
-include $(patsubst %.o,%.d,$(call unit_obj,$(1)))
endef
$(foreach u,$(UNITS),$(eval $(call unit,$(u))))
-include $(HOST_OBJ:.o=.d)

# ---- Fuzzers ---------------------------------------------------------------

FUZZ_SECONDS ?= 60
FUZZ_CC ?= clang
FUZZ_CFLAGS := $(HOST_CFLAGS) -fsanitize=fuzzer-no-link
FUZZERS := $(patsubst tests/fuzz/%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_OBJ := $(HOST_SRC:%.c=$(B)/fuzz/obj/%.o)

$(eval $(call stamp,$(B)/flags/fuzz,$(FUZZ_CC) $(FUZZ_CFLAGS) $(FUZZ_OBJ)))

$(B)/fuzz/obj/%.o: %.c $(B)/flags/fuzz $(CONFIG_H)
	$(call say,FUZZCC,$<)
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) $(DEPS) -c -o $@ $<

$(B)/fuzz/libmica.a: $(FUZZ_OBJ)
	$(call say,AR,$@)
	@rm -f $@
	$(Q)$(AR) rcsD $@ $^

# A fuzzer of a tool is linked with the folders whose headers it includes, and
# with lib/.
fuzz_tools = $(filter-out lib,$(notdir $(shell grep -hEo \
	'^.include "dom0_tools/[a-z0-9_]+' tests/fuzz/$(1).c | sort -u | \
	cut -d'"' -f2)))
fuzz_archives = $(if $(call fuzz_tools,$(1)),$(patsubst %, \
	$(B)/fuzz/dom0_%.a,$(call fuzz_tools,$(1)) lib))

define fuzz_archive
$(B)/fuzz/dom0_$(1).a: $(patsubst %.c,$(B)/fuzz/obj/%.o,$(filter-out \
		$(TOOL_MAINS),$(call tool_src,$(1))))
	$$(call say,AR,$$@)
	@rm -f $$@
	$$(Q)$(AR) qcsD $$@ $$^
-include $(patsubst %.c,$(B)/fuzz/obj/%.d,$(call tool_src,$(1)))
endef
$(foreach f,$(TOOL_FOLDERS),$(eval $(call fuzz_archive,$(f))))
$(foreach f,$(FUZZERS),$(eval $(B)/fuzz/$(f): $(call fuzz_archives,$(f))))

$(FUZZERS:%=$(B)/fuzz/%): $(B)/fuzz/%: $(B)/fuzz/obj/tests/fuzz/%.o \
		$(B)/fuzz/libmica.a
	$(call say,FUZZLD,$@)
	$(Q)$(FUZZ_CC) $(SANITIZE) -fsanitize=fuzzer -o $@ $^ $(HOST_LIBS)

$(FUZZERS:%=run-%): run-%: $(B)/fuzz/%
	$(Q)tests/run/fuzz.sh $< tests/fuzz/corpus/$(*:fuzz_%=%) $(FUZZ_SECONDS)

fuzz-image: $(FUZZERS:%=run-%) ## run each fuzzer for FUZZ_SECONDS (60)

-include $(FUZZ_OBJ:.o=.d) $(FUZZERS:%=$(B)/fuzz/obj/tests/fuzz/%.d)

# ---- Checks ----------------------------------------------------------------

# What clang-format understands: no macros of the assembler.
C_FILES = $(sort $(shell find hypervisor hypercall_abi ring_buffers guest_shim \
	dom0_tools tests -name '*.[ch]' 2>/dev/null | \
	xargs grep -L 'for assembly only'))

QEMU_NEEDS := $(B)/mica.gz $(B)/xen/xen.gz $(GUEST_ELF) $(B)/kernel/vmlinuz \
	$(B)/dom0/initrd.img $(B)/grub-xen/complete
GATE_NEEDS := $(CORE_OBJ)
gate_flags = CC='$(CC)' CHECK_FLAGS='$(x86_std) $(WARNINGS) $(FREESTANDING) \
	-include $(CONFIG_H) $(INCLUDES)' CORE_OBJ='$(CORE_OBJ)' \
	C_FILES='$(C_FILES)'

check: $(UNIT_BIN) $(QEMU_NEEDS) $(GATE_NEEDS) ## all tests; last line: N passed, N failed
	$(Q)$(gate_flags) tests/run/check.sh gates unit qemu

check-unit: $(UNIT_BIN) ## the unit tests
	$(Q)tests/run/check.sh unit

check-qemu: $(QEMU_NEEDS) ## the tests in QEMU, or those of TESTS="guests boot ..."
	$(Q)tests/run/check.sh qemu $(TESTS)

lint: $(GATE_NEEDS) ## the rules of style that a machine can judge
	$(Q)$(gate_flags) tests/run/check.sh gates

format: ## bring all C files into shape
	$(Q)clang-format -i $(C_FILES)

# ---- Other goals -----------------------------------------------------------

all: $(B)/mica $(B)/mica.gz $(GUEST_ELF) tools ## hypervisor, test kernels, tools

clean: ## remove build/
	$(Q)rm -rf $(B)

help: ## list the goals
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | \
		awk -F '|' '{ printf "  %-14s %s\n", $$1, $$2 }'

.PHONY: FORCE all check check-qemu check-unit clean defconfig format \
	fuzz-image guests help hypervisor image lint menuconfig run savedefconfig \
	$(FUZZERS:%=run-%)

-include docs/docs.mk dom0_tools/install/install.mk tests/guests/guests.mk tests/debian/debian.mk tests/bench/bench.mk
