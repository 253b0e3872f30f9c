/* SPDX-License-Identifier: MIT */
/*
 * A handle on the hypervisor: hypercalls through dom0's kernel, memory that
 * the hypervisor can read and write, and mappings of other domains' frames.
 * control_domain.h, control_system.h and control_memory.h give the calls of
 * the control interface types; few callers need more of this header than
 * control_open() and the mappings.
 *
 * A handle serves one thread at a time. It is closed on exec and is useless
 * in a forked child.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dom0_tools/lib/error.h"
#include "hypercall_abi/abi.h"

#define CONTROL_PAGE_SHIFT 12
#define CONTROL_PAGE_SIZE 4096ul

struct control;

/*
 * Opens the hypervisor. NULL with EXIT_STATUS_NO_MICA when this is no dom0,
 * or the kernel's driver (xen-privcmd) is missing, or the interface is not
 * the one of this library.
 */
struct control *control_open(struct error *e);

/* Closes the handle and frees its buffers. NULL is fine. */
void control_close(struct control *c);

/*
 * One hypercall by number with up to five arguments. The result is the
 * hypervisor's: negative is -Exxx. Pointers among the arguments must come
 * from control_buffer() or control_alloc().
 */
long control_hypercall(struct control *c, unsigned number,
                       const uint64_t args[5]);

/*
 * Memory for the hypervisor to read and write: locked, page aligned, zeroed.
 * NULL with *e. Freed by control_free() with the same size; NULL is fine.
 */
void *control_alloc(struct control *c, size_t size, struct error *e);
void control_free(struct control *c, void *memory, size_t size);

/*
 * Maps `count` frames of a domain side by side, readable, and writable if
 * `is_writable`. All or nothing: NULL with *e, naming the first bad frame.
 */
void *control_map_frames(struct control *c, domid_t domain,
                         const uint64_t *frames, size_t count, bool is_writable,
                         struct error *e);

/* Ends a mapping of `count` frames. NULL is fine. */
void control_unmap_frames(struct control *c, void *mapping, size_t count);

/* Makes a new port of `domain` that `remote` may bind to. 0 with *port. */
int control_alloc_unbound_port(struct control *c, domid_t domain,
                               domid_t remote, evtchn_port_t *port,
                               struct error *e);

/* Closes all ports of a domain that is paused or has ended. */
int control_reset_ports(struct control *c, domid_t domain, struct error *e);
