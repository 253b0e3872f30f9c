/* SPDX-License-Identifier: MIT */
/*
 * Serial ports of the 16550 family at I/O ports: polled output, input by
 * interrupt. Nothing here waits without bound: a port that does not exist
 * stays off, and one whose other end holds it up loses output instead. Ports
 * are numbered from 0.
 *
 * Output is serialised by the caller (the log's lock); input touches other
 * registers and runs on the pCPU its interrupt goes to.
 */
#pragma once

#include "core/cmdline.h"
#include "core/types.h"

void uart_init(unsigned id, const struct cmdline_serial *settings);
void uart_write(unsigned id, const char *text, size_t length);
must_check int uart_input_start(unsigned id, void (*receive)(char c));
bool uart_port_is_owned(uint16_t port);
