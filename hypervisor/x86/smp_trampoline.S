/* SPDX-License-Identifier: MIT */
/*
 * From a start-up message to C. The code is copied to a page below 1 MiB, so
 * every address is relative to its start; the words at the page's end
 * (struct smp_start_words) say the rest.
 */
#include "x86/asm.h"

#define AT(label) ((label) - smp_trampoline)
#define WORDS 0xfc0                             /* also the top of a stack */
#define WORD_STACK (WORDS + 0)
#define WORD_ENTRY (WORDS + 8)
#define WORD_CR3 (WORDS + 16)
#define SELECTOR_CODE32 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_CODE64 0x18

        .section .rodata
        .balign 16

/*
 * smp_trampoline: real mode, cs = the page / 16, ip = 0.
 *   out:  rsp and rip from the words, 64-bit mode, interrupts off, the
 *         selectors those of a GDT that goes away with the page
 */
        .code16
FUNC(smp_trampoline)
        cli
        cld
        xor     %ebx, %ebx
        mov     %cs, %bx
        mov     %bx, %ds
        mov     %bx, %ss
        mov     $WORDS, %esp
        shl     $4, %ebx
        add     %ebx, AT(gdt_base)
        lgdtl   AT(gdt_pointer)
        mov     $0x11, %eax                     # ET PE
        mov     %eax, %cr0
        pushl   $SELECTOR_CODE32
        lea     AT(smp_trampoline_protected)(%ebx), %eax
        push    %eax
        lretl
END(smp_trampoline)

        .code32
/* smp_trampoline_protected: ebx = linear address of the page. */
FUNC(smp_trampoline_protected)
        mov     $SELECTOR_DATA, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %ss
        lea     WORDS(%ebx), %esp
        mov     $(1 << 5), %eax                 # PAE
        mov     %eax, %cr4
        mov     WORD_CR3(%ebx), %eax
        mov     %eax, %cr3
        mov     $0xc0000080, %ecx               # EFER
        rdmsr
        or      $((1 << 0) | (1 << 8) | (1 << 11)), %eax        # SCE LME NXE
        wrmsr
        mov     $0x80010033, %eax               # PG WP NE ET MP PE
        mov     %eax, %cr0
        push    $SELECTOR_CODE64
        lea     AT(smp_trampoline_long)(%ebx), %eax
        push    %eax
        lret
END(smp_trampoline_protected)

        .code64
/* smp_trampoline_long: on to the stack and the C function. */
FUNC(smp_trampoline_long)
        mov     %ebx, %ebx
        mov     WORD_STACK(%rbx), %rsp
        mov     WORD_ENTRY(%rbx), %rax
        xor     %ecx, %ecx
        mov     %ecx, %ds
        mov     %ecx, %es
        mov     %ecx, %ss
        mov     %ecx, %fs
        mov     %ecx, %gs
        xor     %ebp, %ebp
        push    %rbp                            # ends the chain of calls
        jmp     *%rax
END(smp_trampoline_long)

        .balign 8
gdt:
        .quad   0
        .quad   0x00cf9b000000ffff              # SELECTOR_CODE32
        .quad   0x00cf93000000ffff              # SELECTOR_DATA
        .quad   0x00af9b000000ffff              # SELECTOR_CODE64
gdt_pointer:
        .short  gdt_pointer - gdt - 1
gdt_base:
        .long   AT(gdt)                         # and the page's address

FUNC(smp_trampoline_end)
        .section .note.GNU-stack, "", @progbits
