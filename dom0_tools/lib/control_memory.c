/* SPDX-License-Identifier: MIT */
/* Memory and tables of domains (control_memory.h). */
#include "dom0_tools/lib/control_memory.h"

#include <errno.h>
#include <string.h>

#include "dom0_tools/lib/control_impl.h"
#include "hypercall_abi/grant_table.h"
#include "hypercall_abi/memory.h"
#include "hypercall_abi/mmu.h"

/* What one call takes; an extent's number is 8 bytes of scratch memory. */
#define CHUNK ((CONTROL_SCRATCH_SIZE / 2) / sizeof(uint64_t))

#define MAX_RANGES 128u
#define MAX_GRANT_FRAMES 512u

/* --- reservations -------------------------------------------------------- */

/* One call on up to CHUNK extents; how many it did, or -Exxx. */
static long change_some(struct control *c, unsigned cmd, domid_t domain,
                        unsigned order, uint64_t *numbers, size_t count)
{
    struct xenmem_reservation_args *op;
    uint64_t *list;
    long done;

    control_scratch_reset(c);
    op = control_scratch(c, sizeof(*op));
    list = control_scratch(c, count * sizeof(*list));
    memcpy(list, numbers, count * sizeof(*list));
    op->extent_start = control_va(list);
    op->nr_extents = count;
    op->extent_order = order;
    op->domid = domain;
    done = CONTROL_CALL(c, memory_op, cmd, (uintptr_t)op);
    if (done > 0)
        memcpy(numbers, list, (size_t)done * sizeof(*list));
    return done;
}

static long change_all(struct control *c, unsigned cmd, domid_t domain,
                       unsigned order, uint64_t *numbers, size_t count)
{
    size_t done = 0;

    while (done < count) {
        size_t some = count - done < CHUNK ? count - done : CHUNK;
        long n = change_some(c, cmd, domain, order, numbers + done, some);

        if (n < 0)
            return n;
        done += (size_t)n;
        if ((size_t)n < some)
            break;
    }
    return (long)done;
}

/* See control_memory.h. */
long control_populate(struct control *c, domid_t domain, unsigned order,
                      uint64_t *pfns, size_t count, struct error *e)
{
    long done =
        change_all(c, XENMEM_populate_physmap, domain, order, pfns, count);

    return done < 0 ? error_set_errno(e, (int)-done,
                                      "can't give memory to domain %u", domain)
                    : done;
}

/* See control_memory.h. */
long control_release(struct control *c, domid_t domain, const uint64_t *frames,
                     size_t count, struct error *e)
{
    /* Frames are read only by this command. */
    long done = change_all(c, XENMEM_decrease_reservation, domain, 0,
                           (uint64_t *)frames, count);

    return done < 0
               ? error_set_errno(e, (int)-done,
                                 "can't take memory from domain %u", domain)
               : done;
}

static long ask(struct control *c, unsigned cmd, domid_t domain,
                struct error *e)
{
    struct xenmem_domain_args *op;
    long result;

    control_scratch_reset(c);
    op = control_scratch(c, sizeof(*op));
    op->domid = domain;
    result = CONTROL_CALL(c, memory_op, cmd, (uintptr_t)op);
    return result < 0 ? error_set_errno(e, (int)-result,
                                        "can't ask for the memory of domain %u",
                                        domain)
                      : result;
}

/* See control_memory.h. */
long control_pages(struct control *c, domid_t domain, struct error *e)
{
    return ask(c, XENMEM_current_reservation, domain, e);
}

/* See control_memory.h. */
long control_max_pages(struct control *c, domid_t domain, struct error *e)
{
    return ask(c, XENMEM_maximum_reservation, domain, e);
}

/* See control_memory.h. */
int control_set_memory_map(struct control *c, domid_t domain,
                           const struct control_memory_range *ranges,
                           unsigned count, struct error *e)
{
    struct xenmem_set_memory_map_args *op;
    struct e820_entry *map;
    long result;

    if (count > MAX_RANGES)
        return error_set_errno(e, E2BIG, "can't set the memory map");
    control_scratch_reset(c);
    op = control_scratch(c, sizeof(*op));
    map = control_scratch(c, count * sizeof(*map));
    for (unsigned i = 0; i < count; i++)
        map[i] = (struct e820_entry){
            .addr_lo = (uint32_t)ranges[i].start,
            .addr_hi = (uint32_t)(ranges[i].start >> 32),
            .size_lo = (uint32_t)ranges[i].size,
            .size_hi = (uint32_t)(ranges[i].size >> 32),
            .type = ranges[i].type,
        };
    op->domid = domain;
    op->map.nr_entries = count;
    op->map.buffer = control_va(map);
    result = CONTROL_CALL(c, memory_op, XENMEM_set_memory_map, (uintptr_t)op);
    return result < 0 ? error_set_errno(e, (int)-result,
                                        "can't set the memory map of domain %u",
                                        domain)
                      : 0;
}

/* --- page tables --------------------------------------------------------- */

/* See control_memory.h. */
int control_pin_table(struct control *c, domid_t domain,
                      enum control_table_level level, uint64_t frame,
                      struct error *e)
{
    struct mmuext_op *op;
    long result;

    control_scratch_reset(c);
    op = control_scratch(c, sizeof(*op));
    op->cmd = MMUEXT_PIN_L1_TABLE + (uint32_t)level;
    op->arg1.mfn = frame;
    result = CONTROL_CALL(c, mmuext_op, (uintptr_t)op, 1, 0, domain);
    return result < 0 ? error_set_errno(e, (int)-result,
                                        "can't pin table %#llx of domain %u",
                                        (unsigned long long)frame, domain)
                      : 0;
}

/* --- grants -------------------------------------------------------------- */

/* See control_memory.h. */
void *control_map_grant_table(struct control *c, domid_t domain, size_t count,
                              struct error *e)
{
    struct gnttab_setup_table_args *op;
    uint64_t *list;
    long result;

    control_scratch_reset(c);
    op = control_scratch(c, sizeof(*op));
    if (count <= MAX_GRANT_FRAMES) {
        list = control_scratch(c, count * sizeof(*list));
        op->dom = domain;
        op->nr_frames = (uint32_t)count;
        op->frame_list = control_va(list);
        result = CONTROL_CALL(c, grant_table_op, GNTTABOP_setup_table,
                              (uintptr_t)op, 1);
        if (!result && op->status == GNTST_okay)
            return control_map_frames(c, domain, list, count, true, e);
    }
    error_set(e, EXIT_STATUS_FAILED, "can't reach the grants of domain %u",
              domain);
    return NULL;
}
