/* SPDX-License-Identifier: MIT */
/*
 * Core dumps of domains, in the format of `xl dump-core`, which crash(8)
 * reads: an ELF file without segments, whose sections are notes about the
 * machine (.note.Xen), the vCPUs' registers (.xen_prstatus), the shared info
 * page (.xen_shared_info), the page numbers (.xen_p2m: pfn and frame of each
 * page) and the pages in the same order (.xen_pages).
 */
#pragma once

#include "dom0_tools/mica/verb.h"
#include "hypercall_abi/abi.h"

/* Writes the dump of a domain that is paused or has ended. */
int core_dump(struct call *call, domid_t id, const char *path, struct error *e);
