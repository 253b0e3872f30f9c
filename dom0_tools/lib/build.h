/* SPDX-License-Identifier: MIT */
/*
 * Builds paravirtual domains: from a kernel file to a domain that needs only
 * to be unpaused. Two steps, so that whatever can be refused is refused
 * before a domain exists:
 *
 *     build_prepare()          reads and unpacks the kernel, plans the layout,
 *                              checks that there is enough free memory
 *     control_domain_create()  and limits, ports: the caller's
 *     build_domain()           memory, page tables, start_info, first vCPU
 *
 * A plan may build several domains one after the other. Kernels are
 * untrusted: nothing in the file may harm this process. Conventions of
 * error.h; a kernel that can't be used is EXIT_STATUS_BAD_KERNEL.
 */
#pragma once

#include "dom0_tools/lib/control.h"

struct build;

/*
 * What to build. Strings and bytes are read by build_prepare() and
 * build_domain(), and must live as long as the plan.
 */
struct build_options {
    const char *kernel;       /* path: bzImage or ELF, packed or not */
    const char *ramdisk;      /* path, or NULL */
    const char *command_line; /* or NULL; at most 1023 bytes */
    uint64_t memory_kib;      /* that the domain starts with */
    uint64_t max_memory_kib;  /* that it may grow to; 0: memory_kib */
};

/* Ports and peers of the domain's store and console. */
struct build_target {
    domid_t domain; /* created, paused, without memory */
    evtchn_port_t store_port, console_port; /* the domain's, unbound */
    domid_t store_domain, console_domain;   /* who may map the rings: 0 */
};

/* What others need to know of a domain that was built. */
struct build_result {
    uint64_t store_frame, console_frame; /* of the rings, both zeroed */
    uint64_t pages;                      /* that the domain has */
};

/*
 * Reads the files and plans. NULL with *e: EXIT_STATUS_BAD_KERNEL, or
 * EXIT_STATUS_NO_MEMORY when the machine has less free memory than is wanted
 * or the domain is too small for kernel and ramdisk; both say the numbers.
 */
struct build *build_prepare(struct control *c,
                            const struct build_options *options,
                            struct error *e);

/* What the kernel calls itself: "linux", "mini-os". Printable. */
const char *build_guest_os(const struct build *b);

/*
 * Fills a domain and sets its first vCPU's registers. 0 with *result. On
 * failure the domain is half made: destroy it. Sets the memory limit and the
 * memory map too. One vCPU is started; the guest starts the others.
 */
int build_domain(struct build *b, struct control *c,
                 const struct build_target *target, struct build_result *result,
                 struct error *e);

/* Frees a plan. NULL is fine. */
void build_free(struct build *b);
