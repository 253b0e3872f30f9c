/* SPDX-License-Identifier: MIT */
/*
 * The one page of a domain that the control kernel creates. It is copied, so
 * all addresses are relative. child_word is what the parent reads.
 */
#define HC_SCHED_OP 29
#define SHUTDOWN 2

        .section .pages, "awx"
        .balign 4096
        .globl  child_page
child_page:

/* Says that it ran, then powers off. */
        .globl  child_ends
child_ends:
        movl    $0x600d, child_word(%rip)
        lea     reason(%rip), %rsi
        mov     $SHUTDOWN, %edi
        mov     $HC_SCHED_OP, %eax
        syscall
        jmp     child_ends

/* Counts for ever. */
        .globl  child_counts
child_counts:
        incl    child_word(%rip)
        jmp     child_counts

        .balign 8
        .globl  child_word
child_word:
        .long   0
reason: .long   0

        .balign 4096
