/* SPDX-License-Identifier: MIT */
/*
 * What a test kernel needs assembly for: its start, the entries of exceptions
 * and callbacks, and ways to leave one context for another.
 */

#define HYPERCALL_IRET  23
#define IRET_FRAME      72      /* struct iret_context */
#define ENTRIES         261     /* ENTRY_COUNT */

/* struct gprs, with its place on the stack */
.macro push_gprs
        push    %rax
        push    %rbx
        push    %rcx
        push    %rdx
        push    %rsi
        push    %rdi
        push    %rbp
        push    %r8
        push    %r9
        push    %r10
        push    %r11
        push    %r12
        push    %r13
        push    %r14
        push    %r15
.endm

/* All but rax, rcx, r11 and rsp from the struct gprs at base. */
.macro load_gprs base, offset=0
        mov     \offset+0(\base), %r15
        mov     \offset+8(\base), %r14
        mov     \offset+16(\base), %r13
        mov     \offset+24(\base), %r12
        mov     \offset+40(\base), %r10
        mov     \offset+48(\base), %r9
        mov     \offset+56(\base), %r8
        mov     \offset+64(\base), %rbp
        mov     \offset+80(\base), %rsi
        mov     \offset+88(\base), %rdx
        mov     \offset+104(\base), %rbx
        mov     \offset+72(\base), %rdi
.endm

        .text

/* in: rsi = start_info, on the builder's stack */
        .globl  _start
_start:
        cld
        mov     %rsi, start_info(%rip)
        lea     kernel_stack_top(%rip), %rsp
        xor     %ebp, %ebp
        call    guest_start

/* One stub of 16 bytes per entry; the number follows what Mica pushed. */
        .balign 16
        .globl  entry_stubs
entry_stubs:
number = 0
        .rept   ENTRIES
        .balign 16
        push    $number
        jmp     entry_common
number = number + 1
        .endr

/*
 * in: struct entry_stack from its vector on. Hands it to entry_dispatch,
 * which fills in the frame of the way back.
 */
entry_common:
        pushfq
        push_gprs
        sub     $IRET_FRAME, %rsp
        cld
        lea     IRET_FRAME(%rsp), %rdi
        mov     %rsp, %rsi
        mov     %cs, %edx
        mov     %ss, %ecx
        call    entry_dispatch
        load_gprs %rsp, IRET_FRAME
        mov     $HYPERCALL_IRET, %eax
        syscall
        ud2

/* int trap_try(f, arg) */
        .globl  trap_try
trap_try:
        push    %rbx
        push    %rbp
        push    %r12
        push    %r13
        push    %r14
        push    %r15
        push    try_top(%rip)
        mov     %rsp, try_top(%rip)
        mov     %rdi, %rax
        mov     %rsi, %rdi
        call    *%rax
        mov     $-1, %eax
.Ltry_leave:
        mov     try_top(%rip), %rsp
        pop     try_top(%rip)
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbp
        pop     %rbx
        ret

/* Leaves the innermost trap_try with the result in edi. */
        .globl  trap_unwind
trap_unwind:
        mov     try_top(%rip), %rsp
        pushq   $2
        popfq
        mov     %edi, %eax
        jmp     .Ltry_leave

/* in: rdi = struct context; the frame goes to the stack */
.macro copy_frame
        mov     %rdi, %rax
        sub     $IRET_FRAME, %rsp
        lea     120(%rax), %rsi
        mov     %rsp, %rdi
        mov     $IRET_FRAME / 8, %ecx
        rep movsq
.endm

        .globl  context_enter
context_enter:
        copy_frame
        load_gprs %rax
        mov     $HYPERCALL_IRET, %eax
        syscall
        ud2

/* The stub pushes the first three words of the frame itself. */
        .globl  context_enter_by_page
context_enter_by_page:
        copy_frame
        load_gprs %rax
        mov     16(%rsp), %rcx
        mov     8(%rsp), %r11
        mov     (%rsp), %rax
        add     $24, %rsp
        jmp     hypercall_page + 32 * HYPERCALL_IRET

        .bss
        .balign 8
try_top:
        .quad   0
        .balign 4096
        .skip   4 * 4096
        .globl  kernel_stack_top, trap_stack_top, spare_stack_top
kernel_stack_top:
        .skip   2 * 4096
trap_stack_top:
        .skip   2 * 4096
spare_stack_top:

        .section .pages, "aw", @progbits
        .balign 4096
        .globl  hypercall_page
hypercall_page:
        .skip   4096

        .section .note.GNU-stack, "", @progbits
