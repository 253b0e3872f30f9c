/* SPDX-License-Identifier: MIT */
/*
 * Text goes to the last line, and pushes up what the firmware and the loader
 * wrote. Off until vga_init, so that a screen in a graphics mode is left alone.
 */
#include "x86/vga.h"

#include "x86/machine_early.h"

#define SCREEN_ADDRESS 0xb8000u
#define COLUMNS 80u
#define CELLS (25u * COLUMNS)
#define GREY_ON_BLACK 0x0700u

static volatile uint16_t *screen; /* NULL while off */
static unsigned column = COLUMNS; /* of the last line, to be written next */

/* Takes the screen, which must be in a colour text mode of 80 by 25. */
void vga_init(void)
{
    screen = map_device(SCREEN_ADDRESS, CELLS * 2);
}

static void new_line(void)
{
    for (unsigned i = 0; i < CELLS; i++)
        screen[i] = i + COLUMNS < CELLS ? screen[i + COLUMNS]
                                        : (uint16_t)(GREY_ON_BLACK | ' ');
    column = 0;
}

/* Shows text; nothing while the screen is not Mica's. */
void vga_write(const char *text, size_t length)
{
    for (size_t i = 0; screen && i < length; i++) {
        if (text[i] == '\n' || column == COLUMNS)
            new_line();
        if (text[i] != '\n')
            screen[CELLS - COLUMNS + column++] =
                (uint16_t)(GREY_ON_BLACK | (unsigned char)text[i]);
    }
}

/* Leaves the screen to dom0 for good. */
void vga_release(void)
{
    screen = NULL;
}
