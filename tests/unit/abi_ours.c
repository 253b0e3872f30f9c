/* SPDX-License-Identifier: MIT */
/* The table of facts as hypercall_abi/ has them: all headers, together. */
#include "hypercall_abi/abi.h"
#include "hypercall_abi/callback.h"
#include "hypercall_abi/console.h"
#include "hypercall_abi/cpuid.h"
#include "hypercall_abi/domctl.h"
#include "hypercall_abi/elfnote.h"
#include "hypercall_abi/event_channel.h"
#include "hypercall_abi/grant_table.h"
#include "hypercall_abi/hypercall.h"
#include "hypercall_abi/memory.h"
#include "hypercall_abi/mmu.h"
#include "hypercall_abi/multicall.h"
#include "hypercall_abi/physdev.h"
#include "hypercall_abi/platform.h"
#include "hypercall_abi/sched.h"
#include "hypercall_abi/shared_info.h"
#include "hypercall_abi/start_info.h"
#include "hypercall_abi/sysctl.h"
#include "hypercall_abi/store.h"
#include "hypercall_abi/trap.h"
#include "hypercall_abi/vcpu.h"
#include "hypercall_abi/version.h"
#include "hypercall_abi/vm_assist.h"
#include "ring_buffers/console.h"

#include "abi_facts.h"

#define SIZE(ours, theirs) ABI_FACT_SIZE(#ours, ours)
#define MEMBER(ours, member, theirs, their_member)                             \
    ABI_FACT_MEMBER(#ours "." #member, ours, member)
#define NUMBER(ours, theirs) ABI_FACT_NUMBER(#ours, ours)
#define SAME(constant) ABI_FACT_NUMBER(#constant, constant)

const struct abi_fact abi_ours[] = {
#include "abi_list.def"
};

const size_t abi_ours_count = sizeof(abi_ours) / sizeof(abi_ours[0]);
