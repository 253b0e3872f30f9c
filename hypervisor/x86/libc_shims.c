/* SPDX-License-Identifier: MIT */
/*
 * What the distribution's archives of liblzma, libzstd and zlib want of a C
 * library, beyond the string functions of core/string.c.
 */
#include "core/log.h"

long libc_nothing(void);
_Noreturn void __stack_chk_fail(void);

/*
 * Stands for malloc and others (link.lds.S). Their memory comes from arenas,
 * so there is no heap: an allocation that asks for one fails as if memory had
 * run out, which all three report as an error. Of libzstd's tracing hooks 0
 * means that nothing is to be traced.
 */
long libc_nothing(void)
{
    return 0;
}

/*
 * A function of the archives found its stack frame overrun. The archives read
 * the expected value at %fs:0x28, which must be mapped while they run.
 */
_Noreturn void __stack_chk_fail(void)
{
    panic("a decompressor overran its stack frame");
}
