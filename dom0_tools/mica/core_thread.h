/* SPDX-License-Identifier: MIT */
/* vCPUs in core dumps, as gdb reads them: each is a thread. */
#pragma once

#include <elf.h>
#include <sys/procfs.h>

#include "hypercall_abi/vcpu.h"

/*
 * The notes of a thread, without a gap: the owner of each is padded to words,
 * and what it tells follows, struct elf_prstatus and an image of FXSAVE.
 */
struct core_thread {
    Elf64_Nhdr status_head;
    char status_owner[8];
    uint8_t status[sizeof(struct elf_prstatus)];
    Elf64_Nhdr floats_head;
    char floats_owner[8];
    uint8_t floats[512];
};

/* Makes the notes of a vCPU, under a number other than 0. */
void core_thread_fill(struct core_thread *thread, unsigned number,
                      const struct vcpu_guest_context *context);
