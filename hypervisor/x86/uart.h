/* SPDX-License-Identifier: MIT */
/*
 * Serial ports of the 16550 family at I/O ports: polled output, input by
 * interrupt. Nothing here waits without bound: a port that does not exist
 * stays off, and one whose other end holds it up loses output instead.
 *
 * Output is serialised by the caller (the log's lock); input touches other
 * registers and runs on the pCPU its interrupt goes to.
 */
#pragma once

#include "core/cmdline.h"
#include "core/types.h"

enum uart_id {
    UART_COM1,
    UART_COM2,
    UART_COUNT,
};

must_check int uart_init(enum uart_id id,
                         const struct cmdline_serial *settings);
bool uart_is_on(enum uart_id id);
void uart_write(enum uart_id id, const char *text, size_t length);
must_check int uart_input_start(enum uart_id id, void (*receive)(char c));
void uart_input_poll(enum uart_id id, void (*receive)(char c));
bool uart_port_is_owned(uint16_t port);
bool uart_gsi_is_owned(unsigned gsi);
