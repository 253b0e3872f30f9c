/* SPDX-License-Identifier: MIT */
/*
 * vcpu_op(cmd, vCPU, arg) and the state a vCPU starts with. Any domain, on
 * its own vCPUs. Common errors: -ENOENT no such vCPU, -ENOSYS unknown
 * command, -EFAULT, -EINVAL.
 */
#pragma once

#include "hypercall_abi/abi.h"
#include "hypercall_abi/trap.h"

enum {
    /* arg: struct vcpu_guest_context. 0; -EEXIST once it is done. */
    VCPUOP_initialise = 0,
    /* No argument. 0; -EINVAL before initialise. */
    VCPUOP_up = 1,
    /* No argument. 0; for the calling vCPU, once it is up again. */
    VCPUOP_down = 2,
    /* No argument. 1 when it is up, 0 when down. */
    VCPUOP_is_up = 3,
    /* arg: struct vcpu_runstate_info, filled in. 0. */
    VCPUOP_get_runstate_info = 4,
    VCPUOP_register_runstate_memory_area = 5,
    VCPUOP_set_periodic_timer = 6,
    /* No argument. 0. */
    VCPUOP_stop_periodic_timer = 7,
    VCPUOP_set_singleshot_timer = 8,
    /* No argument; the calling vCPU only. 0; -EINVAL for another. */
    VCPUOP_stop_singleshot_timer = 9,
    VCPUOP_register_vcpu_info = 10,
    /* No argument. 0. */
    VCPUOP_send_nmi = 11,
    VCPUOP_get_physid = 12, /* not served */
    VCPUOP_register_vcpu_time_memory_area = 13
};

/* Registers of a vCPU that is not running. */
struct cpu_user_regs {
    uint64_t r15;
    uint64_t r14;
    uint64_t r13;
    uint64_t r12;
    uint64_t rbp;
    uint64_t rbx;
    uint64_t r11;
    uint64_t r10;
    uint64_t r9;
    uint64_t r8;
    uint64_t rax;
    uint64_t rcx;
    uint64_t rdx;
    uint64_t rsi;
    uint64_t rdi;
    uint32_t error_code;   /* ignored */
    uint32_t entry_vector; /* ignored */
    uint64_t rip;
    uint16_t cs; /* taken with RPL 3 */
    uint16_t pad0;
    uint8_t saved_upcall_mask;
    uint8_t pad1[3];
    uint64_t rflags; /* IOPL: the virtual one; IF: not mask */
    uint64_t rsp;
    uint16_t ss; /* taken with RPL 3 */
    uint16_t pad2[3];
    uint16_t es;
    uint16_t pad3[3];
    uint16_t ds;
    uint16_t pad4[3];
    uint16_t fs; /* other than 0: wins over fs_base */
    uint16_t pad5[3];
    uint16_t gs; /* other than 0: wins over gs_base_user */
    uint16_t pad6[3];
};
ABI_SIZE(struct cpu_user_regs, 200);
ABI_AT(struct cpu_user_regs, r14, 8);
ABI_AT(struct cpu_user_regs, r13, 16);
ABI_AT(struct cpu_user_regs, r12, 24);
ABI_AT(struct cpu_user_regs, rbp, 32);
ABI_AT(struct cpu_user_regs, rbx, 40);
ABI_AT(struct cpu_user_regs, r11, 48);
ABI_AT(struct cpu_user_regs, r10, 56);
ABI_AT(struct cpu_user_regs, r9, 64);
ABI_AT(struct cpu_user_regs, r8, 72);
ABI_AT(struct cpu_user_regs, rax, 80);
ABI_AT(struct cpu_user_regs, rcx, 88);
ABI_AT(struct cpu_user_regs, rdx, 96);
ABI_AT(struct cpu_user_regs, rsi, 104);
ABI_AT(struct cpu_user_regs, rdi, 112);
ABI_AT(struct cpu_user_regs, error_code, 120);
ABI_AT(struct cpu_user_regs, entry_vector, 124);
ABI_AT(struct cpu_user_regs, rip, 128);
ABI_AT(struct cpu_user_regs, cs, 136);
ABI_AT(struct cpu_user_regs, pad0, 138);
ABI_AT(struct cpu_user_regs, saved_upcall_mask, 140);
ABI_AT(struct cpu_user_regs, pad1, 141);
ABI_AT(struct cpu_user_regs, rflags, 144);
ABI_AT(struct cpu_user_regs, rsp, 152);
ABI_AT(struct cpu_user_regs, ss, 160);
ABI_AT(struct cpu_user_regs, pad2, 162);
ABI_AT(struct cpu_user_regs, es, 168);
ABI_AT(struct cpu_user_regs, pad3, 170);
ABI_AT(struct cpu_user_regs, ds, 176);
ABI_AT(struct cpu_user_regs, pad4, 178);
ABI_AT(struct cpu_user_regs, fs, 184);
ABI_AT(struct cpu_user_regs, pad5, 186);
ABI_AT(struct cpu_user_regs, gs, 192);
ABI_AT(struct cpu_user_regs, pad6, 194);

/* vcpu_guest_context.flags; VGCF_in_syscall is in trap.h. */
#define VGCF_i387_valid 0x1u /* fpu_ctxt is meant */
#define VGCF_in_kernel 0x4u  /* starts in kernel mode */
#define VGCF_failsafe_disables_events 0x8u
#define VGCF_syscall_disables_events 0x10u
#define VGCF_online 0x20u /* is up */

/* The whole state of a vCPU, as a domain's kernel or builder supplies it. */
struct vcpu_guest_context {
    uint8_t fpu_ctxt[512]; /* FXSAVE image */
    uint64_t flags;        /* VGCF_* */
    struct cpu_user_regs user_regs;
    struct trap_info trap_ctxt[256]; /* by vector; address 0: none */
    uint64_t ldt_base;               /* virtual address, page aligned */
    uint64_t ldt_ents;               /* 0..8192 */
    uint64_t gdt_frames[16];         /* MFNs */
    uint64_t gdt_ents;               /* 0..FIRST_RESERVED_GDT_ENTRY */
    uint64_t kernel_ss;              /* stack for entries from user mode */
    uint64_t kernel_sp;
    uint64_t ctrlreg[8];  /* [1] user root << 12, [3] kernel root << 12 */
    uint64_t debugreg[8]; /* 0..3, 6 and 7 */
    uint64_t event_callback_eip;
    uint64_t failsafe_callback_eip;
    uint64_t syscall_callback_eip;
    uint64_t vm_assist; /* bit n: VMASST_TYPE n */
    uint64_t fs_base;
    uint64_t gs_base_kernel;
    uint64_t gs_base_user;
};
ABI_SIZE(struct vcpu_guest_context, 5168);
ABI_AT(struct vcpu_guest_context, flags, 512);
ABI_AT(struct vcpu_guest_context, user_regs, 520);
ABI_AT(struct vcpu_guest_context, trap_ctxt, 720);
ABI_AT(struct vcpu_guest_context, ldt_base, 4816);
ABI_AT(struct vcpu_guest_context, ldt_ents, 4824);
ABI_AT(struct vcpu_guest_context, gdt_frames, 4832);
ABI_AT(struct vcpu_guest_context, gdt_ents, 4960);
ABI_AT(struct vcpu_guest_context, kernel_ss, 4968);
ABI_AT(struct vcpu_guest_context, kernel_sp, 4976);
ABI_AT(struct vcpu_guest_context, ctrlreg, 4984);
ABI_AT(struct vcpu_guest_context, debugreg, 5048);
ABI_AT(struct vcpu_guest_context, event_callback_eip, 5112);
ABI_AT(struct vcpu_guest_context, failsafe_callback_eip, 5120);
ABI_AT(struct vcpu_guest_context, syscall_callback_eip, 5128);
ABI_AT(struct vcpu_guest_context, vm_assist, 5136);
ABI_AT(struct vcpu_guest_context, fs_base, 5144);
ABI_AT(struct vcpu_guest_context, gs_base_kernel, 5152);
ABI_AT(struct vcpu_guest_context, gs_base_user, 5160);

enum {
    RUNSTATE_running = 0,  /* on a pCPU */
    RUNSTATE_runnable = 1, /* waiting for one: stolen time */
    RUNSTATE_blocked = 2,  /* waiting for an event */
    RUNSTATE_offline = 3   /* down or paused */
};

/* Set in state_entry_time while the record changes (vm_assist 5). */
#define XEN_RUNSTATE_UPDATE (UINT64_C(1) << 63)

/* What a vCPU does and has done; system time in nanoseconds. */
struct vcpu_runstate_info {
    int32_t state; /* out: RUNSTATE_* */
    uint32_t pad;
    uint64_t state_entry_time; /* out: since when */
    uint64_t time[4];          /* out: spent in each state until then */
};
ABI_SIZE(struct vcpu_runstate_info, 48);
ABI_AT(struct vcpu_runstate_info, pad, 4);
ABI_AT(struct vcpu_runstate_info, state_entry_time, 8);
ABI_AT(struct vcpu_runstate_info, time, 16);

/*
 * VCPUOP_register_runstate_memory_area: a struct vcpu_runstate_info that is
 * kept up to date from now on; address 0 ends that. 0; -EFAULT.
 */
struct vcpu_register_runstate_memory_area_args {
    guest_va addr; /* in */
};
ABI_SIZE(struct vcpu_register_runstate_memory_area_args, 8);

/* VCPUOP_set_periodic_timer: VIRQ_TIMER at an interval. 0; -EINVAL. */
struct vcpu_set_periodic_timer_args {
    uint64_t period_ns; /* in:  at least 1 ms */
};
ABI_SIZE(struct vcpu_set_periodic_timer_args, 8);

#define VCPU_SSHOTTMR_future 0x1u /* refuse a time that has passed */

/*
 * VCPUOP_set_singleshot_timer: VIRQ_TIMER once, at once when the time has
 * passed. The calling vCPU only. 0; -EINVAL for another vCPU, -ETIME by flag.
 */
struct vcpu_set_singleshot_timer_args {
    uint64_t timeout_abs_ns; /* in:  system time */
    uint32_t flags;          /* in:  VCPU_SSHOTTMR_* */
    uint32_t pad;
};
ABI_SIZE(struct vcpu_set_singleshot_timer_args, 16);
ABI_AT(struct vcpu_set_singleshot_timer_args, flags, 8);
ABI_AT(struct vcpu_set_singleshot_timer_args, pad, 12);

/*
 * VCPUOP_register_vcpu_info: moves a vCPU's struct vcpu_info to memory of the
 * domain, once; it must not cross a page. Also for vCPUs that are down. 0;
 * -EINVAL when it has moved already or the place is bad.
 */
struct vcpu_register_vcpu_info_args {
    uint64_t mfn;    /* in:  a writable frame of the caller */
    uint32_t offset; /* in:  bytes into it */
    uint32_t rsvd;   /* in:  ignored */
};
ABI_SIZE(struct vcpu_register_vcpu_info_args, 16);
ABI_AT(struct vcpu_register_vcpu_info_args, offset, 8);
ABI_AT(struct vcpu_register_vcpu_info_args, rsvd, 12);

/*
 * VCPUOP_register_vcpu_time_memory_area: a second struct vcpu_time_info that
 * user mode may read, kept up to date; address 0 ends that. 0; -EFAULT.
 */
struct vcpu_register_time_memory_area_args {
    guest_va addr; /* in */
};
ABI_SIZE(struct vcpu_register_time_memory_area_args, 8);
