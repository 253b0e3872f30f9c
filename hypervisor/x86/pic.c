/* SPDX-License-Identifier: MIT */
/* Silences the old interrupt controllers. */
#include "x86/pic.h"

#include "x86/insn.h"

#define PIC1_COMMAND 0x20
#define PIC1_DATA 0x21
#define PIC2_COMMAND 0xa0
#define PIC2_DATA 0xa1
#define START 0x11
#define VECTORS 0x20 /* to 0x2f: where spurious interrupts end */
#define SECOND_ON_LINE_2 0x04
#define CASCADE_IDENTITY 0x02
#define MODE_8086 0x01
#define ALL_LINES 0xff

/*
 * Masks every line and moves the vectors away from those of exceptions. To be
 * called while the local APIC still passes the PIC's interrupt on, or a
 * request that waits there already would be left hanging.
 */
void pic_disable(void)
{
    outb(PIC1_COMMAND, START);
    outb(PIC2_COMMAND, START);
    outb(PIC1_DATA, VECTORS);
    outb(PIC2_DATA, VECTORS + 8);
    outb(PIC1_DATA, SECOND_ON_LINE_2);
    outb(PIC2_DATA, CASCADE_IDENTITY);
    outb(PIC1_DATA, MODE_8086);
    outb(PIC2_DATA, MODE_8086);
    outb(PIC1_DATA, ALL_LINES);
    outb(PIC2_DATA, ALL_LINES);
}
