/* SPDX-License-Identifier: MIT */
/*
 * Core dumps of domains, one ELF file for two readers, neither of which knows
 * what the other reads.
 *
 * crash(8) reads the format of `xl dump-core`: sections with notes about the
 * machine (.note.Xen), the vCPUs' registers (.xen_prstatus), the shared info
 * page (.xen_shared_info), the page numbers (.xen_p2m: pfn and frame of each
 * page) and the pages in the same order (.xen_pages).
 *
 * gdb(1) reads segments: notes with the registers of each vCPU as a thread, and
 * the same pages at their virtual addresses. The table of segments lies behind
 * all that, for crash takes a file that has it right behind its head for the
 * dump of a bare machine, whose page tables it could not follow.
 */
#pragma once

#include "dom0_tools/mica/verb.h"
#include "hypercall_abi/abi.h"

/* Writes the dump of a domain that is paused or has ended. */
int core_dump(struct call *call, domid_t id, const char *path, struct error *e);
