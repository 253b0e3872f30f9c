/* SPDX-License-Identifier: MIT */
/*
 * Vector registers of a test kernel, whose C code uses none. Buffers hold
 * sixteen registers, 16 or 32 bytes each.
 */
        .text

.irp what, load, store
.macro sse_\what index
.ifc \what, load
        movups  16 * \index(%rdi), %xmm\index
.else
        movups  %xmm\index, 16 * \index(%rdi)
.endif
.endm
.macro avx_\what index
.ifc \what, load
        vmovups 32 * \index(%rdi), %ymm\index
.else
        vmovups %ymm\index, 32 * \index(%rdi)
.endif
.endm
.endr

.macro all operation
.irp index, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        \operation \index
.endr
        ret
.endm

        .globl  xmm_load, xmm_store, ymm_load, ymm_store
xmm_load:
        all     sse_load
xmm_store:
        all     sse_store
ymm_load:
        all     avx_load
ymm_store:
        all     avx_store

        .section .user, "ax", @progbits

/* Changes xmm3 in user mode, then calls the kernel. */
        .balign 16
        .globl  at_change_xmm3
at_change_xmm3:
        pcmpeqd %xmm3, %xmm3
        syscall
        ud2

        .section .note.GNU-stack, "", @progbits
