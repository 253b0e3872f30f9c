/* SPDX-License-Identifier: MIT */
/*
 * The 16550 driver. Registers and bits follow the data sheet of the PC16550D.
 */
#include "x86/uart.h"

#include "x86/insn.h"
#include "x86/irq.h"

#define UART_CLOCK 115200u
#define UART_PORTS 8u
#define FIFO_SIZE 16u

/* Register offsets; the divisor replaces the first two while LCR_DLAB is set */
#define REG_DATA 0
#define REG_IER 1
#define REG_FCR 2
#define REG_IIR 2
#define REG_LCR 3
#define REG_MCR 4
#define REG_LSR 5
#define REG_MSR 6
#define REG_SCRATCH 7

#define IER_RECEIVE 0x01
#define FCR_ENABLE_CLEAR 0x07
#define FCR_TRIGGER_8 0x80
#define IIR_NONE 0x01
#define IIR_FIFO 0xc0
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

/* Characters taken in one interrupt: more than any FIFO of the family. */
#define INPUT_BURST 256u

struct uart {
    uint16_t port;
    uint8_t irq; /* 0: none */
    uint8_t line_control;
    uint16_t divisor; /* 0: as the firmware left it */
    uint8_t burst;    /* characters an empty transmitter takes */
    bool is_on;
    bool is_stuck; /* timed out: no more waiting until it recovers */
    void (*receive)(char c);
};

static struct uart uarts[UART_COUNT] = {
    [UART_COM1] = {.port = 0x3f8,
                   .irq = 4,
                   .line_control = 0x03,
                   .divisor = 1,
                   .burst = 1},
    [UART_COM2] = {.port = 0x2f8,
                   .irq = 3,
                   .line_control = 0x03,
                   .divisor = 1,
                   .burst = 1},
};

static uint8_t reg_read(const struct uart *u, unsigned reg)
{
    return inb((uint16_t)(u->port + reg));
}

static void reg_write(const struct uart *u, unsigned reg, unsigned value)
{
    outb((uint16_t)(u->port + reg), (uint8_t)value);
}

static uint8_t parity_bits(char parity)
{
    switch (parity) {
    case 'o':
        return 0x08;
    case 'e':
        return 0x18;
    case 'm':
        return 0x28;
    case 's':
        return 0x38;
    default:
        return 0;
    }
}

static bool take_settings(struct uart *u, const struct cmdline_serial *s)
{
    uint32_t divisor;

    if (s->port > 0x10000 - UART_PORTS || s->data_bits < 5 || s->data_bits > 8)
        return false;
    divisor = s->baud ? UART_CLOCK / s->baud : 0;
    if (s->baud && !divisor)
        return false;
    u->divisor = divisor > 0xffff ? 0xffff : (uint16_t)divisor;
    u->line_control = (uint8_t)((s->data_bits - 5) | parity_bits(s->parity) |
                                (s->stop_bits == 2 ? LCR_TWO_STOP_BITS : 0));
    u->port = s->port;
    u->irq = s->irq;
    return true;
}

/* Bits that keep their value only where there is a UART. */
static bool is_present(const struct uart *u)
{
    reg_write(u, REG_IER, 0);
    if (reg_read(u, REG_IER) & 0xf0 || reg_read(u, REG_LSR) == 0xff)
        return false;
    reg_write(u, REG_SCRATCH, 0x5a);
    if (reg_read(u, REG_SCRATCH) != 0x5a)
        return false;
    reg_write(u, REG_SCRATCH, 0xa5);
    return reg_read(u, REG_SCRATCH) == 0xa5;
}

static void program(struct uart *u)
{
    if (u->divisor) {
        reg_write(u, REG_LCR, u->line_control | LCR_DLAB);
        reg_write(u, REG_DATA, u->divisor & 0xff);
        reg_write(u, REG_IER, u->divisor >> 8);
    }
    reg_write(u, REG_LCR, u->line_control);
    reg_write(u, REG_FCR, FCR_ENABLE_CLEAR | FCR_TRIGGER_8);
    reg_write(u, REG_MCR, MCR_DTR_RTS);
    if ((reg_read(u, REG_IIR) & IIR_FIFO) == IIR_FIFO)
        u->burst = FIFO_SIZE;
}

/*
 * Sets a port up for output, with the settings given or (NULL) the usual ones
 * at 115200 baud. -EINVAL when they cannot be had, -ENODEV when there is no
 * UART; the port then stays off.
 */
int uart_init(enum uart_id id, const struct cmdline_serial *settings)
{
    struct uart *u = &uarts[id];

    u->is_on = false;
    if (settings && !take_settings(u, settings))
        return -EINVAL;
    if (!is_present(u))
        return -ENODEV;
    program(u);
    u->is_on = true;
    return 0;
}

/* Whether uart_init succeeded for this port. */
bool uart_is_on(enum uart_id id)
{
    return uarts[id].is_on;
}

/* Waits, with a bound, for an empty transmitter. */
static bool transmitter_is_ready(struct uart *u)
{
    unsigned polls = u->is_stuck ? 1 : MAX_POLLS;

    while (polls--) {
        if (reg_read(u, REG_LSR) & LSR_EMPTY) {
            u->is_stuck = false;
            return true;
        }
        pause();
    }
    u->is_stuck = true;
    return false;
}

/*
 * Sends text with a carriage return before each line feed. What a stuck line
 * does not take is dropped.
 */
void uart_write(enum uart_id id, const char *text, size_t length)
{
    struct uart *u = &uarts[id];
    unsigned room = 0;
    bool returned = false;

    if (!u->is_on)
        return;
    for (size_t i = 0; i < length;) {
        if (!room && !transmitter_is_ready(u))
            return;
        room = room ? room - 1 : u->burst - 1u;
        if (text[i] == '\n' && !returned) {
            reg_write(u, REG_DATA, '\r');
            returned = true;
            continue;
        }
        reg_write(u, REG_DATA, (unsigned char)text[i++]);
        returned = false;
    }
}

static void take_input(struct uart *u, void (*receive)(char c))
{
    for (unsigned i = 0; i < INPUT_BURST; i++) {
        if (!(reg_read(u, REG_LSR) & LSR_READY))
            return;
        receive((char)reg_read(u, REG_DATA));
    }
}

/*
 * An edge line stays silent unless every cause is gone when the handler
 * leaves, hence the second look.
 */
static void interrupt(void *context)
{
    struct uart *u = context;

    for (unsigned i = 0; i < 4; i++) {
        take_input(u, u->receive);
        if (reg_read(u, REG_IIR) & IIR_NONE)
            return;
        (void)reg_read(u, REG_MSR);
        (void)reg_read(u, REG_LSR);
    }
}

/*
 * From now on each character received goes to `receive`, in interrupt
 * context. The interrupt controllers must be set up. -ENODEV for a port that
 * is off or has no interrupt, or the error of routing its line.
 */
int uart_input_start(enum uart_id id, void (*receive)(char c))
{
    struct uart *u = &uarts[id];
    int error;

    if (!u->is_on || !u->irq)
        return -ENODEV;
    u->receive = receive;
    error = irq_isa_start(u->irq, interrupt, u);
    if (error)
        return error;
    reg_write(u, REG_MCR, MCR_DTR_RTS | MCR_OUT2);
    reg_write(u, REG_IER, IER_RECEIVE);
    take_input(u, receive);
    return 0;
}

/* Takes what has been received, without interrupts (panic, early boot). */
void uart_input_poll(enum uart_id id, void (*receive)(char c))
{
    if (uarts[id].is_on)
        take_input(&uarts[id], receive);
}

/* Whether the I/O port belongs to a UART that Mica uses. */
bool uart_port_is_owned(uint16_t port)
{
    for (unsigned i = 0; i < UART_COUNT; i++)
        if (uarts[i].is_on && (uint16_t)(port - uarts[i].port) < UART_PORTS)
            return true;
    return false;
}

/* Whether the interrupt line belongs to a UART whose input Mica takes. */
bool uart_gsi_is_owned(unsigned gsi)
{
    for (unsigned i = 0; i < UART_COUNT; i++)
        if (uarts[i].is_on && uarts[i].receive &&
            irq_isa_gsi(uarts[i].irq) == gsi)
            return true;
    return false;
}
