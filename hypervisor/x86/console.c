/* SPDX-License-Identifier: MIT */
/*
 * The console: text goes to the serial ports that are chosen and, until dom0
 * takes the screen, to VGA; what is typed on the serial ports goes to dom0 or
 * to Mica's debug keys. Ctrl-A three times changes between the two; dom0 gets
 * the first two. Output is under the log's lock. The queue of input has its
 * own.
 */
#include "core/arch.h"
#include "core/domain.h"
#include "core/evtchn.h"
#include "core/log.h"
#include "core/machine.h"

#include "x86/machine_early.h"
#include "x86/start.h"
#include "x86/uart.h"

/* A colour text screen. */
#define SCREEN_ADDRESS 0xb8000u
#define COLUMNS 80u
#define CELLS (25u * COLUMNS)
#define GREY_ON_BLACK 0x0700u

#define SWITCH_KEY '\x01' /* Ctrl-A */
#define SWITCH_PRESSES 3u
#define QUEUE_SIZE 1024u /* a power of two */

static volatile uint16_t *screen; /* NULL while it is not Mica's */
static unsigned column = COLUMNS; /* of the last line, to be written next */

static struct spinlock input_lock;
static struct {
    char text[QUEUE_SIZE];
    size_t head, tail; /* counts of characters put in and taken out */
    bool for_dom0;     /* else typing goes to the debug keys */
    unsigned presses;  /* of SWITCH_KEY in a row */
} input;               /* input_lock */

/* Starts output to the screen, which must be in a text mode of 80 by 25. */
void console_take_screen(void)
{
    screen = map_device(SCREEN_ADDRESS, CELLS * 2);
}

/* To the last line: pushes up what the firmware and the loader wrote. */
static void put_on_screen(char c)
{
    if (c == '\n' || column == COLUMNS) {
        for (unsigned i = 0; i < CELLS; i++)
            screen[i] = i + COLUMNS < CELLS ? screen[i + COLUMNS]
                                            : (uint16_t)(GREY_ON_BLACK | ' ');
        column = 0;
    }
    if (c != '\n')
        screen[CELLS - COLUMNS + column++] =
            (uint16_t)(GREY_ON_BLACK | (unsigned char)c);
}

/* Writes to every console that is on; called with the log's lock held. */
void arch_console_write(const char *text, size_t length)
{
    uart_write(text, length);
    for (size_t i = 0; screen && i < length; i++)
        put_on_screen(text[i]);
}

static void announce_side(bool for_dom0)
{
    log_error("Console input goes to %s (Ctrl-A three times to switch)",
              for_dom0 ? "dom0" : "Mica, h for help");
}

/* A character came in; interrupts are off, no lock is held. */
void console_receive(char c)
{
    bool has_switched, for_dom0;

    spin_lock(&input_lock);
    input.presses = c == SWITCH_KEY ? input.presses + 1 : 0;
    has_switched = input.presses == SWITCH_PRESSES;
    if (has_switched) {
        input.presses = 0;
        input.for_dom0 = !input.for_dom0 && dom0;
    } else if (input.for_dom0 && input.head - input.tail < QUEUE_SIZE) {
        input.text[input.head++ % QUEUE_SIZE] = c;
    }
    for_dom0 = input.for_dom0;
    spin_unlock(&input_lock);

    if (has_switched)
        announce_side(for_dom0);
    else if (for_dom0)
        evtchn_raise_global_virq(dom0, VIRQ_CONSOLE);
    else if (c != SWITCH_KEY)
        machine_press_key(c);
}

/* dom0 is about to run: it gets the input and the screen. */
void console_give_to_dom0(void)
{
    spin_lock(&input_lock);
    input.for_dom0 = true;
    spin_unlock(&input_lock);
    announce_side(true);
    screen = NULL;
}

/* Takes up to `size` characters typed for dom0; the number taken. */
size_t arch_console_read(char *out, size_t size)
{
    size_t n = 0;

    spin_lock(&input_lock);
    while (n < size && input.tail != input.head)
        out[n++] = input.text[input.tail++ % QUEUE_SIZE];
    spin_unlock(&input_lock);
    return n;
}
