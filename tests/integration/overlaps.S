# SPDX-License-Identifier: MIT
#
# A Multiboot2 kernel that brings a hypervisor along, spoils the memory map
# which the boot loader made, as some firmware would, and then starts the
# hypervisor. Boot loaders put maps in order, so this is the only way to show
# a hypervisor one that is not. For 1 GiB of memory:
#   the second entry  becomes a reserved range in the middle of the RAM
#   the last entry    becomes RAM from below 1 MiB to the end of the 1 GiB,
#                     across all that is RAM or reserved there
# "hypervisor.bin" is the hypervisor as it lies in memory. Its place is that of
# the section .hypervisor, its entry ENTRY; the linker is told both.

.set MAGIC, 0xe85250d6
.set TAG_MAP, 6
.set RAM, 1
.set RESERVED, 2

        .section .text, "ax"
        .balign 8
header: .long   MAGIC
        .long   0                               # i386 protected mode
        .long   header_end - header
        .long   -(MAGIC + (header_end - header))
        .short  6, 1                            # modules on page boundaries
        .long   8
        .short  0, 0
        .long   8
header_end:

        .code32
        .globl _start
_start:
        lea     8(%ebx), %esi
next:
        cmpl    $TAG_MAP, (%esi)
        je      spoil
        mov     4(%esi), %ecx
        lea     7(%esi, %ecx), %esi
        and     $-8, %esi
        jmp     next
spoil:
        mov     8(%esi), %ecx                   # the size of an entry
        lea     16(%esi, %ecx), %edi            # the second
        movl    $0x20000000, 0(%edi)
        movl    $0, 4(%edi)
        movl    $0x01000000, 8(%edi)
        movl    $0, 12(%edi)
        movl    $RESERVED, 16(%edi)
        mov     4(%esi), %edi
        add     %esi, %edi
        sub     %ecx, %edi                      # the last
        movl    $0x000f0000, 0(%edi)
        movl    $0, 4(%edi)
        movl    $0x3ff10000, 8(%edi)
        movl    $0, 12(%edi)
        movl    $RAM, 16(%edi)
        mov     $ENTRY, %ecx
        jmp     *%ecx

        .section .hypervisor, "awx"
        .incbin "hypervisor.bin"
        .section .note.GNU-stack, "", @progbits
