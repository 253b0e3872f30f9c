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

#include "core/types.h"

void uart_write(const char *text, size_t length);
void uart_interrupt(void);
bool uart_port_is_owned(uint16_t port);

/* console.c: a character came in. */
void console_receive(char c);
