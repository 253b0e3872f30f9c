/* SPDX-License-Identifier: MIT */
/*
 * console_io: the consoles of Mica as the first domain's. Other domains have
 * rings of their own; debug builds let them write here too.
 */
#include "core/arch.h"
#include "core/domain.h"
#include "core/guest_copy.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/vcpu.h"
#include "hypercall_abi/console.h"

#define CHUNK 128u

static long consoleio_write(struct vcpu *v, const struct hc_args *args)
{
    uint32_t left = (uint32_t)args->a[1];
    guest_va from = HC_ARG_VA(args, 2);
    char text[CHUNK];

    while (left > 0) {
        uint32_t n = (uint32_t)min_u64(left, CHUNK);

        if (copy_in(text, from, n))
            return -EFAULT;
        log_guest_text(v->domain->id, text, n);
        from = guest_va_add(from, n);
        left -= n;
        if (left > 0 && hypercall_should_restart()) {
            struct hc_args rest = {.a = {CONSOLEIO_write, left, from.va}};

            return hypercall_restart(v, HC_console_io, &rest);
        }
    }
    return 0;
}

/* What was typed, up to a chunk's worth; callers ask until there is no more. */
static long consoleio_read(const struct hc_args *args)
{
    char text[CHUNK];
    size_t n = arch_console_read(text, min_u64((uint32_t)args->a[1], CHUNK));

    return copy_out(HC_ARG_VA(args, 2), text, n) ? -EFAULT : (long)n;
}

/* console_io(cmd, count, buffer) */
long hc_console_io(struct vcpu *v, const struct hc_args *args)
{
    bool is_privileged = v->domain->is_privileged;

    switch ((uint32_t)args->a[0]) {
    case CONSOLEIO_write:
        if (!is_privileged && !CONFIG_DEBUG)
            return -EPERM;
        return consoleio_write(v, args);
    case CONSOLEIO_read:
        return is_privileged ? consoleio_read(args) : -EPERM;
    default:
        return -ENOSYS;
    }
}
