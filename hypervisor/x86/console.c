/* SPDX-License-Identifier: MIT */
/* Who gets what is written and typed. */
#include "x86/console.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/evtchn.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/spinlock.h"
#include "hypercall_abi/event_channel.h"

#include "x86/vga.h"

#define SWITCH_KEY '\x01' /* Ctrl-A */
#define SWITCH_PRESSES 3u
#define QUEUE_SIZE 1024u /* a power of two */

static struct spinlock input_lock;
static struct {
    char text[QUEUE_SIZE];
    size_t head, tail; /* counts of characters put in and taken out */
    bool for_dom0;     /* else typing goes to the debug keys */
    unsigned presses;  /* of SWITCH_KEY in a row */
} input;               /* input_lock */

/* Starts output to the serial ports of a set, and ends it to others. */
void console_init_serial(unsigned consoles, const struct cmdline_serial *ports)
{
    for (unsigned id = 0; id < UART_COUNT; id++)
        uart_init(id, consoles & 1u << id ? &ports[id] : NULL);
}

/* Writes to every console that is on; called with the log's lock held. */
void arch_console_write(const char *text, size_t length)
{
    for (unsigned id = 0; id < UART_COUNT; id++)
        uart_write(id, text, length);
    vga_write(text, length);
}

static void announce_side(bool for_dom0)
{
    log_error("Console input goes to %s (Ctrl-A three times to switch)",
              for_dom0 ? "dom0" : "Mica, h for help");
}

/* A character came in; interrupt context. */
static void receive(char c)
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

/*
 * Starts taking input by interrupt; needs irq_init and debug keys. Typing goes
 * to Mica at first.
 */
void console_input_start(void)
{
    for (unsigned id = 0; id < UART_COUNT; id++) {
        int error = uart_input_start(id, receive);

        if (error)
            log_warning("No input from com%u: error %d", id + 1, -error);
    }
}

/* dom0 is about to run: it gets the input and the screen. */
void console_give_to_dom0(void)
{
    spin_lock(&input_lock);
    input.for_dom0 = true;
    spin_unlock(&input_lock);
    announce_side(true);
    vga_release();
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
