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

/* Asks Mica for leaf 1 of CPUID, and the processor, then powers off. */
        .globl  child_asks
child_asks:
        mov     $1, %eax
        xor     %ecx, %ecx
        cpuid
        mov     %ecx, child_word + 8(%rip)
        mov     $1, %eax
        xor     %ecx, %ecx
        ud2
        .ascii  "xen"
        cpuid
        mov     %ecx, child_word + 4(%rip)
        jmp     child_ends

/* Counts for ever. */
        .globl  child_counts
child_counts:
        incl    child_word(%rip)
        jmp     child_counts

        .balign 8
        .globl  child_word
child_word:
        .long   0, 0, 0
reason: .long   0

        .balign 4096
