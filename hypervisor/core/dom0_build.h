/* SPDX-License-Identifier: MIT */
/*
 * Builds the first domain from what the boot loader supplied: unpacks the
 * kernel, lays out its memory and first page tables as the guest ABI says,
 * and gives its first vCPU its registers. Runs once, before any guest.
 */
#pragma once

#include "core/cmdline.h"
#include "core/types.h"

/* A range of physical memory, in bytes; `end` is the first beyond. */
struct memory_range {
    uint64_t start, end;
};

struct dom0_options {
    const void *kernel; /* a file as distributions ship it */
    size_t kernel_size;
    const void *initrd; /* or NULL */
    size_t initrd_size;
    const char *command_line; /* the kernel's own */
    struct cmdline_memory memory;
    struct cmdline_range vcpus; /* at least and at most; 0: no limit */
    const void *console_info;   /* dom0_vga_console_info */
    size_t console_info_size;
    const struct memory_range *ram; /* all of the machine's */
    unsigned ram_count;
};

/*
 * Creates dom0. Its first vCPU is ready but not up, since any pCPU would run
 * it at once. Stops the machine with a message that says what to change if
 * that can't be.
 */
void dom0_build(const struct dom0_options *options);
