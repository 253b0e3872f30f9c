# SPDX-License-Identifier: MIT
#
# A 32-bit program without a C library: it asks for its process id by every
# way into the kernel that this processor has, many times, and compares the
# answers and the registers that a call must keep. The exit status is 0, or
# the number of the way that went wrong.
#   1 INT 0x80   2 SYSCALL, processors by AMD   3 SYSENTER, those by Intel
#   4 the kernel's own choice, from its vDSO

.set NR_exit, 1
.set NR_getpid, 20
.set ROUNDS, 2000
.set AT_SYSINFO, 32

        .bss
pid:    .skip 4
entry:  .skip 4
is_amd: .skip 4
way:    .skip 4

        .text
        .globl _start
_start:
        call    find_entry
        call    find_vendor
        mov     $NR_getpid, %eax
        int     $0x80
        mov     %eax, pid
        mov     $ROUNDS, %edi
1:
        movl    $1, way
        lea     by_interrupt, %esi
        call    compare
        cmpl    $0, is_amd
        je      2f
        movl    $2, way
        lea     by_syscall, %esi
        call    compare
        jmp     3f
2:
        movl    $3, way
        lea     by_sysenter, %esi
        call    compare
3:
        movl    $4, way
        lea     by_choice, %esi
        call    compare
        dec     %edi
        jnz     1b
        xor     %ebx, %ebx
leave:
        mov     $NR_exit, %eax
        int     $0x80

# Calls %esi with a pattern in the registers.
compare:
        mov     $NR_getpid, %eax
        mov     $0x11223344, %ebx
        mov     $0x55667788, %edx
        mov     $0x99aabbcc, %ebp
        call    *%esi
        cmp     pid, %eax
        jne     wrong
        cmp     $0x11223344, %ebx
        jne     wrong
        cmp     $0x55667788, %edx
        jne     wrong
        cmp     $0x99aabbcc, %ebp
        jne     wrong
        ret
wrong:
        mov     way, %ebx
        jmp     leave

by_interrupt:
        int     $0x80
        ret

# The kernel comes back in its vDSO, which undoes these pushes and returns.
by_syscall:
        push    %ecx
        push    %edx
        push    %ebp
        mov     %ecx, %ebp
        syscall

by_sysenter:
        push    %ecx
        push    %edx
        push    %ebp
        mov     %esp, %ebp
        sysenter

by_choice:
        jmp     *entry

# The auxiliary vector follows arguments and environment on the stack.
find_entry:
        lea     4(%esp), %esi
        mov     (%esi), %eax
        lea     8(%esi,%eax,4), %esi
1:
        mov     (%esi), %eax
        add     $4, %esi
        test    %eax, %eax
        jnz     1b
2:
        mov     (%esi), %eax
        mov     4(%esi), %ebx
        add     $8, %esi
        cmp     $AT_SYSINFO, %eax
        je      3f
        test    %eax, %eax
        jnz     2b
        lea     by_interrupt, %ebx
3:
        mov     %ebx, entry
        ret

# The first letters of "AuthenticAMD" and "HygonGenuine".
find_vendor:
        xor     %eax, %eax
        cpuid
        xor     %eax, %eax
        cmp     $0x68747541, %ebx
        je      1f
        cmp     $0x6f677948, %ebx
        jne     2f
1:
        inc     %eax
2:
        mov     %eax, is_amd
        ret

        .section .note.GNU-stack, "", @progbits
