/* SPDX-License-Identifier: MIT */
/*
 * The 16550 driver. Registers and bits follow the data sheet of the PC16550D.
 */
#include "x86/uart.h"

#include "core/log.h"

#include "x86/insn.h"
#include "x86/irq.h"
#include "x86/start.h"

#define UART_CLOCK 115200u
#define UART_PORTS 8u
#define FIFO_SIZE 16u

/* Register offsets; the divisor replaces the first two while LCR_DLAB is set */
#define REG_DATA 0
#define REG_IER 1
#define REG_FCR 2 /* written */
#define REG_IIR 2 /* read */
#define REG_LCR 3
#define REG_MCR 4
#define REG_LSR 5
#define REG_SCRATCH 7

#define IER_RECEIVE 0x01
#define FCR_ENABLE_CLEAR 0x07
#define FCR_TRIGGER_8 0x80
#define IIR_FIFO 0xc0 /* both: there is one, and it works */
#define LCR_PARITY(n) (0x08u | (unsigned)(n) << 4) /* odd even mark space */
#define LCR_TWO_STOP_BITS 0x04
#define LCR_DLAB 0x80
#define MCR_DTR_RTS 0x03
#define MCR_OUT2 0x08 /* on PCs: connects the interrupt */
#define LSR_READY 0x01
#define LSR_EMPTY 0x20

/*
 * Reads of the line status before a port counts as stuck: some 100 ms on
 * hardware, where each takes about a microsecond; a character at 1200 baud
 * needs 8 ms.
 */
#define MAX_POLLS 100000u

/* Characters taken in one interrupt: more than come while it lasts. */
#define INPUT_BURST 4096u

static struct uart {
    struct cmdline_serial settings;
    bool is_on;
    uint8_t fifo;  /* characters an empty transmitter takes */
    uint8_t room;  /* and what of that is left for sure */
    bool is_stuck; /* timed out: no more waiting until it recovers */
} uarts[UART_COUNT];

static uint8_t reg_read(const struct uart *u, unsigned reg)
{
    return inb((uint16_t)(u->settings.port + reg));
}

static void reg_write(const struct uart *u, unsigned reg, uint64_t value)
{
    outb((uint16_t)(u->settings.port + reg), (uint8_t)value);
}

/* Bits that keep their value, or their zero, only where there is a UART. */
static bool is_present(const struct uart *u)
{
    reg_write(u, REG_IER, 0);
    reg_write(u, REG_SCRATCH, 0x5a);
    return !(reg_read(u, REG_IER) & 0xf0) && reg_read(u, REG_LSR) != 0xff &&
           reg_read(u, REG_SCRATCH) == 0x5a;
}

/* Sets a port up for output. Where there is no UART it stays off. */
static void init(struct uart *u, const struct cmdline_serial *settings)
{
    static const char parities[] = "oems";
    const char *parity;
    uint64_t divisor;

    *u = (struct uart){.settings = *settings};
    if (!is_present(u))
        return;
    if (settings->baud) { /* else as the firmware left it */
        divisor = min_u64(UART_CLOCK / settings->baud, 0xffff);
        reg_write(u, REG_LCR, LCR_DLAB);
        reg_write(u, REG_DATA, divisor & 0xff);
        reg_write(u, REG_IER, divisor >> 8);
    }
    parity = memchr(parities, settings->format[1], sizeof(parities) - 1);
    reg_write(u, REG_LCR,
              (settings->format[0] - '5') |
                  (parity ? LCR_PARITY(parity - parities) : 0) |
                  (settings->format[2] == '2' ? LCR_TWO_STOP_BITS : 0));
    reg_write(u, REG_FCR, FCR_ENABLE_CLEAR | FCR_TRIGGER_8);
    u->fifo = (reg_read(u, REG_IIR) & IIR_FIFO) == IIR_FIFO ? FIFO_SIZE : 1;
    reg_write(u, REG_MCR, MCR_DTR_RTS);
    u->is_on = true;
}

/*
 * Starts output to the ports whose bits are in `set`, and ends it to others.
 * The settings are good ones, as cmdline.h makes sure.
 */
void uart_init(unsigned set, const struct cmdline_serial *settings)
{
    for (unsigned i = 0; i < UART_COUNT; i++) {
        uarts[i].is_on = false;
        if (set & 1u << i)
            init(&uarts[i], &settings[i]);
    }
}

/* Waits, with a bound, for an empty transmitter when its FIFO may be full. */
static void send(struct uart *u, char c)
{
    unsigned polls = u->is_stuck ? 1 : MAX_POLLS;

    while (!u->room && polls--) {
        pause();
        if (reg_read(u, REG_LSR) & LSR_EMPTY)
            u->room = u->fifo;
    }
    u->is_stuck = !u->room;
    if (u->is_stuck)
        return;
    u->room--;
    reg_write(u, REG_DATA, (unsigned char)c);
}

/*
 * Sends text to all ports, with a carriage return before each line feed. What
 * a stuck line does not take is dropped.
 */
void uart_write(const char *text, size_t length)
{
    for (struct uart *u = uarts; u < uarts + UART_COUNT; u++)
        for (size_t i = 0; u->is_on && i < length; i++) {
            if (text[i] == '\n')
                send(u, '\r');
            send(u, text[i]);
        }
}

/*
 * Takes what has come in at any port, with interrupts off and no lock held. An
 * edge line stays silent unless its port is found empty in the end.
 */
void uart_interrupt(void)
{
    for (const struct uart *u = uarts; u < uarts + UART_COUNT; u++)
        for (unsigned i = 0; i < INPUT_BURST && u->is_on && u->settings.irq &&
                             reg_read(u, REG_LSR) & LSR_READY;
             i++)
            console_receive((char)reg_read(u, REG_DATA));
}

/*
 * From now on each character received goes to console_receive; none does from
 * a port that is off or has no interrupt. After irq_init.
 */
void uart_input_start(void)
{
    for (const struct uart *u = uarts; u < uarts + UART_COUNT; u++) {
        if (!u->is_on || !u->settings.irq)
            continue;
        if (irq_take_isa((unsigned)u->settings.irq)) {
            log_warning("No input from com%u: no interrupt is free",
                        (unsigned)(u - uarts) + 1);
            continue;
        }
        reg_write(u, REG_MCR, MCR_DTR_RTS | MCR_OUT2);
        reg_write(u, REG_IER, IER_RECEIVE);
    }
    uart_interrupt();
}

/* Whether the I/O port belongs to a UART that Mica uses. */
bool uart_port_is_owned(uint16_t port)
{
    for (unsigned i = 0; i < UART_COUNT; i++)
        if (uarts[i].is_on && port - uarts[i].settings.port < UART_PORTS)
            return true;
    return false;
}
