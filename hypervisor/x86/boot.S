/* SPDX-License-Identifier: MIT */
/*
 * From the Multiboot2 loader to C: checks that the processor can run Mica,
 * enters long mode and jumps high. Runs at its load address. Secondary
 * processors come in from a page in low memory and go the last part of the
 * way. Data segments are left as they are until cpu.c sets them: 64-bit code
 * has no use for them.
 *
 * The first tables map 4 GiB of physical memory three times: where it is
 * (until paging.c drops that), at IMAGE_BASE (the first GiB), and at
 * RAM_BASE.
 */
#include "x86/asm.h"
#include "x86/cpu.h"
#include "x86/memory_layout.h"
#include "generated/asm_offsets.h"

#define MULTIBOOT2_HEADER_MAGIC 0xe85250d6
#define MULTIBOOT2_LOADER_MAGIC 0x36d76289
#define COM1 0x3f8
#define BOOT_CODE64 0x08
#define BOOT_DATA 0x10
#define BOOT_CODE32 0x18

        .section .boot.header, "a"
        .balign 8
header_start:
        .long   MULTIBOOT2_HEADER_MAGIC
        .long   0                               # i386 protected mode
        .long   header_end - header_start
        .long   -(MULTIBOOT2_HEADER_MAGIC + (header_end - header_start))

        .balign 8                               # no wishes: GRUB's defaults do
        .short  0, 0
        .long   8
header_end:

        .section .boot, "awx"
        .code32

/*
 * boot_entry: from the loader, 32-bit protected mode, paging off.
 *   in:   eax = loader magic, ebx = physical address of the information
 *   out:  does not return
 */
FUNC(boot_entry)
        cli
        cld
        mov     %ebx, %esi
        mov     $text_no_multiboot, %ebp
        cmp     $MULTIBOOT2_LOADER_MAGIC, %eax
        jne     boot_refuse

        mov     $0x80000000, %eax
        cpuid
        mov     $text_no_long_mode, %ebp
        cmp     $0x80000001, %eax
        jb      boot_refuse
        mov     $0x80000001, %eax
        cpuid
        bt      $29, %edx
        jnc     boot_refuse
        mov     $text_no_nx, %ebp
        bt      $20, %edx
        jnc     boot_refuse

        mov     $boot_l4, %ebp
        lgdt    boot_gdt_pointer
        jmp     boot_long
END(boot_entry)

/* boot_secondary: from smp_trampoline, with the boot GDT. */
LOCAL_FUNC(boot_secondary)
        mov     $BOOT_DATA, %eax
        mov     %eax, %ds
        mov     $idle_l4_physical, %ebp
END(boot_secondary)

/*
 * boot_long: turns on paging; both kinds of processors.
 *   in:   ebp = top-level table, esi = what start_entry gets
 *   out:  boot_high
 */
LOCAL_FUNC(boot_long)
        mov     $(1 << 5), %eax                 # PAE
        mov     %eax, %cr4
        mov     %ebp, %cr3
        mov     $0xc0000080, %ecx               # EFER
        rdmsr
        or      $((1 << 0) | (1 << 8) | (1 << 11)), %eax    # SCE LME NXE
        wrmsr
        mov     $0x80010033, %eax               # PG WP NE ET MP PE
        mov     %eax, %cr0
        ljmp    $BOOT_CODE64, $boot_high
END(boot_long)

/*
 * boot_refuse: says why on the serial line and the VGA text screen, stops.
 *   in:   ebp = text
 */
LOCAL_FUNC(boot_refuse)
        mov     %ebp, %esi
        mov     $0xb8000, %edi
1:      lodsb
        test    %al, %al
        jz      3f
        mov     $0x4f, %ah
        stosw
        mov     %al, %bl
        mov     $0x10000, %ecx
        mov     $COM1 + 5, %dx
2:      in      %dx, %al
        test    $0x20, %al
        loopz   2b
        mov     $COM1, %dx
        mov     %bl, %al
        out     %al, %dx
        jmp     1b
3:      hlt
        jmp     3b
END(boot_refuse)

        .code64
/* boot_high: 64-bit, low; on to Mica's own addresses and stack. */
LOCAL_FUNC(boot_high)
        movabs  start_stack, %rax
        mov     %rax, %rsp
        movabs  start_entry, %rax
        xor     %ebp, %ebp
        mov     %esi, %edi
        call    *%rax
END(boot_high)

        .balign 8
boot_gdt:
        .quad   0
        .quad   0x00af9a000000ffff              # BOOT_CODE64
        .quad   0x00cf92000000ffff              # BOOT_DATA
        .quad   0x00cf9a000000ffff              # BOOT_CODE32
boot_gdt_pointer:
        .short  . - boot_gdt - 1
        .quad   boot_gdt

text_no_multiboot:
        .asciz  "Mica: not started by a Multiboot2 loader. Use GRUB 2's multiboot2 command."
text_no_long_mode:
        .asciz  "Mica: this processor has no 64-bit mode. Mica needs an x86-64 processor."
text_no_nx:
        .asciz  "Mica: this processor has no NX. Switch on 'execute disable' in the firmware."

        .balign 4096
        .globl  boot_l4
boot_l4:
        .quad   boot_l3_low + 3
        .org    boot_l4 + 258 * 8
        .quad   boot_l3_image + 3, 0, boot_l3_low + 3
        .org    boot_l4 + 4096
boot_l3_low:
        .quad   boot_l2 + 0x0003, boot_l2 + 0x1003
        .quad   boot_l2 + 0x2003, boot_l2 + 0x3003
        .org    boot_l3_low + 4096
boot_l3_image:
        .quad   boot_l2 + 3
        .org    boot_l3_image + 4096
boot_l2:
        .set    frame, 0
        .rept   2048
        .quad   frame * 0x200000 + 0x83         # large, writable, present
        .set    frame, frame + 1
        .endr

/*
 * smp_trampoline: real mode, cs = a page / 16, ip = 0; where it runs it is a
 * copy, hence the words of its own. smp.c knows the size.
 */
        .section .rodata
        .code16
FUNC(smp_trampoline)
        cli
        mov     %cs, %ax
        mov     %ax, %ds
        lgdtl   trampoline_gdt - smp_trampoline
        mov     $0x11, %eax                     # ET PE
        mov     %eax, %cr0
        ljmpl   $BOOT_CODE32, $boot_secondary
trampoline_gdt:
        .short  boot_gdt_pointer - boot_gdt - 1
        .long   boot_gdt
        .org    smp_trampoline + 64
END(smp_trampoline)

/* Stack and function of the processor that is on its way. */
        .data
        .globl  start_stack, start_entry
start_stack:    .quad boot_cpu_stack + STACK_SIZE - STACK_INFO_SIZE
start_entry:    .quad start

        .section .bss
        .balign STACK_SIZE
        .skip   STACK_SIZE - 4096
        .globl  boot_stack_guard, boot_cpu_stack
boot_stack_guard: .skip 4096                    # not mapped once paging.c ran
boot_cpu_stack: .skip STACK_SIZE
        .section .note.GNU-stack, "", @progbits
