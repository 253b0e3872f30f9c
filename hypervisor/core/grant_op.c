/* SPDX-License-Identifier: MIT */
#include "core/hypercall.h"

long hc_grant_table_op(struct vcpu *v, const struct hc_args *args)
{
    (void)v;
    (void)args;
    return -ENOSYS;
}
