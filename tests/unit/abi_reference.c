/* SPDX-License-Identifier: MIT */
/*
 * The table of facts as the public headers of libxen-dev have them. They are
 * a reference for this test and used nowhere else; without them the table is
 * empty.
 */
#include "abi_facts.h"

#if __has_include(<xen/xen.h>)

#define __XEN_INTERFACE_VERSION__ 0x00040e00
#define __XEN_TOOLS__ 1
#include <xen/xen.h>

#include <xen/arch-x86/cpufeatureset.h>
#include <xen/arch-x86/cpuid.h>
#include <xen/arch-x86/xen-mca.h>
#include <xen/callback.h>
#include <xen/domctl.h>
#include <xen/elfnote.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/io/console.h>
#include <xen/io/xs_wire.h>
#include <xen/memory.h>
#include <xen/nmi.h>
#include <xen/physdev.h>
#include <xen/platform.h>
#include <xen/sched.h>
#include <xen/sysctl.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#define SIZE(ours, theirs) ABI_FACT_SIZE(#ours, theirs)
#define MEMBER(ours, member, theirs, their_member)                             \
    ABI_FACT_MEMBER(#ours "." #member, theirs, their_member)
#define NUMBER(ours, theirs) ABI_FACT_NUMBER(#ours, theirs)
#define SAME(constant) ABI_FACT_NUMBER(#constant, constant)

const struct abi_fact abi_reference[] = {
#include "abi_list.def"
};

const size_t abi_reference_count =
    sizeof(abi_reference) / sizeof(abi_reference[0]);

#else

const struct abi_fact abi_reference[1];
const size_t abi_reference_count = 0;

#endif
