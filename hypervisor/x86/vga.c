/* SPDX-License-Identifier: MIT */
/*
 * Text goes below what the firmware and the loader wrote; the screen scrolls
 * at its end. Off until vga_init, so that a screen in a graphics mode is left
 * alone.
 */
#include "x86/vga.h"

#include "x86/insn.h"
#include "x86/machine_early.h"

#define SCREEN_ADDRESS 0xb8000u
#define ROWS 25u
#define COLUMNS 80u
#define GREY_ON_BLACK 0x0700u
#define TAB 8u

#define CRTC_INDEX 0x3d4
#define CRTC_DATA 0x3d5
#define CRTC_CURSOR_HIGH 0x0e
#define CRTC_CURSOR_LOW 0x0f

static volatile uint16_t *screen; /* NULL while off */
static unsigned cursor;           /* where the next character goes */

static uint8_t crtc_read(uint8_t reg)
{
    outb(CRTC_INDEX, reg);
    return inb(CRTC_DATA);
}

static void crtc_write(uint8_t reg, unsigned value)
{
    outb(CRTC_INDEX, reg);
    outb(CRTC_DATA, (uint8_t)value);
}

/* Takes the screen, which must be in a colour text mode of 80 by 25. */
void vga_init(void)
{
    cursor =
        (unsigned)crtc_read(CRTC_CURSOR_HIGH) << 8 | crtc_read(CRTC_CURSOR_LOW);

    screen = map_device(SCREEN_ADDRESS, ROWS * COLUMNS * 2);
    if (cursor >= ROWS * COLUMNS)
        cursor = (ROWS - 1) * COLUMNS;
}

static void scroll(void)
{
    for (unsigned i = 0; i < (ROWS - 1) * COLUMNS; i++)
        screen[i] = screen[i + COLUMNS];
    for (unsigned i = 0; i < COLUMNS; i++)
        screen[(ROWS - 1) * COLUMNS + i] = GREY_ON_BLACK | ' ';
}

static void put(char c)
{
    unsigned column = cursor % COLUMNS;

    if (c == '\n')
        cursor += COLUMNS - column;
    else if (c == '\r')
        cursor -= column;
    else if (c == '\t')
        cursor += TAB - column % TAB;
    else
        screen[cursor++] = (uint16_t)(GREY_ON_BLACK | (unsigned char)c);
    if (cursor >= ROWS * COLUMNS) {
        scroll();
        cursor -= COLUMNS;
    }
}

/* Shows text; nothing while the screen is not Mica's. */
void vga_write(const char *text, size_t length)
{
    if (!screen)
        return;
    for (size_t i = 0; i < length; i++)
        put(text[i]);
    crtc_write(CRTC_CURSOR_HIGH, cursor >> 8);
    crtc_write(CRTC_CURSOR_LOW, cursor);
}

/* Leaves the screen to dom0 for good. */
void vga_release(void)
{
    screen = NULL;
}
