/* SPDX-License-Identifier: MIT */
/*
 * The machine's part of a vCPU and of a domain. Everything here belongs to
 * the pCPU that runs the vCPU; others may touch it only while the vCPU is
 * down or paused and not loaded anywhere.
 */
#pragma once

#include "core/bitmap.h"
#include "core/domain.h"
#include "core/types.h"
#include "core/vcpu.h"
#include "hypercall_abi/callback.h"
#include "x86/gate.h"
#include "x86/insn.h"
#include "x86/regs.h"

#define TRAP_VECTORS 256
#define GUEST_GDT_FRAMES 14
#define GUEST_GDT_ENTRIES 7168
#define LDT_MAX_ENTRIES 8192u
#define GUEST_TABLES (GATE_CODE / PAGE_SIZE) /* pages of GDT and LDT */

/* What a guest finds set in CR4 and can't clear. */
#define CR4_GUEST (CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT)

/* Where a guest kernel is entered: a trap gate or a callback. */
struct callback {
    uint64_t address;  /* 0: none */
    bool masks_events; /* sets the upcall mask on entry */
    uint8_t dpl;       /* of a gate: least privileged ring that may `int n` */
    uint16_t cs;       /* of a gate: only shown to whoever asks */
};

#define CALLBACK_KINDS (CALLBACKTYPE_syscall32 + 1)

/* An exception to deliver when the vCPU next enters its guest. */
struct pending_trap {
    bool is_pending;
    uint8_t vector;
    uint32_t error_code;
    uint64_t cr2; /* meaning for EXC_PF only */
};

struct arch_vcpu {
    uint8_t fpu[PAGE_SIZE]; /* XSAVE or FXSAVE area; as aligned as the record */
    struct regs regs;       /* while the vCPU is not loaded */
    bool in_kernel;         /* guest kernel or guest application */
    struct pending_trap trap;
    bool nmi_pending; /* atomic */
    bool nmi_masked;  /* until the next iret hypercall */

    struct callback traps[TRAP_VECTORS];
    struct callback callbacks[CALLBACK_KINDS];
    uint64_t kernel_sp;
    uint16_t kernel_ss;

    uint16_t ds, es, fs, gs; /* while not loaded */
    uint64_t fs_base;        /* while not loaded */
    uint64_t gs_base_kernel; /* while not loaded */
    uint64_t gs_base_user;   /* while not loaded */

    uint8_t iopl;       /* virtual: 0 to 3 */
    guest_va io_bitmap; /* of its applications: a clear bit allows a port */
    uint32_t io_ports;  /* bits in it */
    bool cr0_ts;        /* virtual CR0.TS */
    uint64_t cr4;       /* as the guest sees it */
    uint64_t dr[8];
    uint64_t xcr0;
    uint32_t tsc_aux;

    struct frame *tables[GUEST_TABLES]; /* as in the gate; NULL: none */
    unsigned gdt_entries;
    unsigned ldt_entries;
    uint64_t ldt_base; /* guest address, page aligned */
};

struct arch_domain {
    uint64_t io_bitmap[IO_BITMAP_BYTES / 8]; /* 1 = refused; whole frames */
};

/*
 * The root of the address space that `v` is in. A kernel in ring 1 can go to
 * ring 3 without Mica, even if it has named no tables for applications.
 */
static inline mfn_t vcpu_root(const struct vcpu *v)
{
    return v->arch->in_kernel || mfn_equal(v->user_root, MFN_INVALID)
               ? v->kernel_root
               : v->user_root;
}
