/* SPDX-License-Identifier: MIT */
/*
 * The ELF notes of a test kernel. Linux is what it says it is, because that is
 * how a kernel promises to keep the lower halves of its roots equal, which
 * these kernels do. Types are numbers of hypercall_abi/elfnote.h.
 */

.macro note_text type, text
        .pushsection .note.Xen, "a", @note
        .balign 4
        .long   4, 2f - 1f, \type
        .asciz  "Xen"
1:      .asciz  "\text"
2:      .balign 4
        .popsection
.endm

.macro note_number type, value
        .pushsection .note.Xen, "a", @note
        .balign 4
        .long   4, 8, \type
        .asciz  "Xen"
        .quad   \value
        .popsection
.endm

        note_number 1, _start                   # ENTRY
        note_number 2, hypercall_page           # HYPERCALL_PAGE
        note_number 3, VIRT_BASE                # VIRT_BASE
        note_number 4, 0                        # PADDR_OFFSET
        note_text   5, "xen-3.0"                # XEN_VERSION
        note_text   6, "linux"                  # GUEST_OS
        note_text   8, "generic"                # LOADER
        note_text   10, "!writable_page_tables|pae_pgdir_above_4gb"
        note_number 17, 0x801                   # SUPPORTED_FEATURES: dom0

        .section .note.GNU-stack, "", @progbits
