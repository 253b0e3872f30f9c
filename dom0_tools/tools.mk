# SPDX-License-Identifier: MIT
#
# The tools of the first domain: static programs, so that they run in its
# initramfs and under any distribution. A folder of dom0_tools with a main()
# is a program of the folder's name; lib/ is what they share, with the part of
# the hypervisor's core that knows kernels and layouts.

TOOL_STD := -std=gnu11
TOOL_CFLAGS := -O2 -g $(WARNINGS) $(MAP) -ffunction-sections -fdata-sections \
	-fstack-protector-strong -D_FORTIFY_SOURCE=2 \
	-include $(CONFIG_H) $(INCLUDES)
TOOL_LDFLAGS := -static -Wl,--gc-sections
TOOL_LIBS := -ljansson -lncursesw -ltinfo -llzma -lzstd -lz -llz4

TOOL_CORE_SRC := $(filter-out $(CONFIGURED_OUT),$(patsubst %, \
	hypervisor/core/%.c,guest_layout kernel kernel_image unpack \
	unpack_gzip unpack_xz unpack_zstd))
TOOL_LIB_SRC := $(sort $(wildcard dom0_tools/lib/*.c)) $(TOOL_CORE_SRC)
TOOL_LIB_OBJ := $(TOOL_LIB_SRC:%.c=$(B)/tools/%.o)

TOOL_MAINS := $(shell grep -l '^int main\b' dom0_tools/*/*.c 2>/dev/null)
TOOLS := $(sort $(notdir $(patsubst %/,%,$(dir $(TOOL_MAINS)))))
TOOL_BIN := $(foreach t,$(TOOLS),$(B)/dom0_tools/$(t))
tool_src = $(sort $(wildcard dom0_tools/$(1)/*.c))
tool_obj = $(patsubst %.c,$(B)/tools/%.o,$(call tool_src,$(1)))

$(eval $(call stamp,$(B)/flags/tools,$(CC) $(CC_VERSION) $(TOOL_STD) $(TOOL_CFLAGS) $(TOOL_LIB_OBJ)))

$(B)/tools/%.o: %.c $(B)/flags/tools $(CONFIG_H)
	$(call say,TOOLCC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(TOOL_STD) $(TOOL_CFLAGS) $(DEPS) -c -o $@ $<

$(B)/tools/libtools.a: $(TOOL_LIB_OBJ)
	$(call say,AR,$@)
	@rm -f $@
	$(Q)$(AR) qcsD $@ $^

define tool
$(eval $(call stamp,$(B)/flags/tool-$(1),$(call tool_obj,$(1)) $(TOOL_LDFLAGS) $(TOOL_LIBS)))
$(B)/dom0_tools/$(1): $(call tool_obj,$(1)) $(B)/tools/libtools.a \
		$(B)/flags/tool-$(1)
	$$(call say,TOOLLD,$$@)
	@mkdir -p $$(@D)
	$$(Q)$(CC) $(TOOL_LDFLAGS) -o $$@.debug $(call tool_obj,$(1)) \
		$(B)/tools/libtools.a $(TOOL_LIBS)
	$$(Q)$(OBJCOPY) --strip-all $$@.debug $$@
-include $(patsubst %.o,%.d,$(call tool_obj,$(1)))
endef
$(foreach t,$(TOOLS),$(eval $(call tool,$(t))))
-include $(TOOL_LIB_OBJ:.o=.d)

tools: $(TOOL_BIN) ## the tools of the first domain in build/dom0_tools/

# For the unit tests: an archive of each folder, without its main(). A test is
# linked with those whose headers it or its helpers include, and with lib/.
TOOL_FOLDERS := $(filter-out image,$(sort $(notdir $(patsubst %/,%,$(dir \
	$(wildcard dom0_tools/*/*.c))))))
tool_folders = $(filter-out image lib,$(notdir $(shell grep -hEo \
	'^.include "dom0_tools/[a-z0-9_]+' /dev/null tests/unit/$(1).c \
	$(wildcard tests/unit/$(patsubst test_%,%,$(1))_*.[ch]) | \
	sort -u | cut -d'"' -f2)))
tool_archives = $(if $(call tool_folders,$(1))$(shell grep -l \
	'^.include "dom0_tools/' tests/unit/$(1).c), \
	$(patsubst %,$(B)/host/dom0_%.a,$(call tool_folders,$(1)) lib))

define tool_archive
$(B)/host/dom0_$(1).a: $(patsubst %.c,$(B)/host/%.o,$(filter-out \
		$(TOOL_MAINS),$(call tool_src,$(1))))
	$$(call say,AR,$$@)
	@rm -f $$@
	$$(Q)$(AR) qcsD $$@ $$^
-include $(patsubst %.c,$(B)/host/%.d,$(call tool_src,$(1)))
endef
$(foreach f,$(TOOL_FOLDERS),$(eval $(call tool_archive,$(f))))

.PHONY: tools
