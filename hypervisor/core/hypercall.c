/* SPDX-License-Identifier: MIT */
/* The table of hypercalls (hypercall.h). */
#include "core/hypercall.h"

#include "core/arch.h"
#include "core/vcpu.h"

static hypercall_handler *const handlers[HC_COUNT] = {
#define HYPERCALL(nr, name, count) [nr] = hc_##name,
#include "hypercall_abi/hypercalls.def"
#undef HYPERCALL
};

/*
 * Runs hypercall `nr` for the running vCPU; the result for its rax. -ENOSYS
 * for numbers without a row.
 */
hot_path long hypercall_dispatch(struct vcpu *v, uint64_t nr,
                                 const struct hc_args *args)
{
    uint64_t index = index_clamp(nr, HC_COUNT);

    if (nr >= HC_COUNT || !handlers[index])
        return -ENOSYS;
    __atomic_store_n(&v->hypercalls, v->hypercalls + 1, __ATOMIC_RELAXED);
    return handlers[index](v, args);
}
