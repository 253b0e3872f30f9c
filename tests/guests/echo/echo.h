/* SPDX-License-Identifier: MIT */
/* The parts of the guest "echo": its console, and the store's orders. */
#pragma once

#include "memory.h"

/* Ends the domain: SHUTDOWN_*. */
void shut_down(uint32_t reason) __attribute__((noreturn));

void tell_daemon(evtchn_port_t port);

/* What a word asks for: SHUTDOWN_*, or -1. */
int reason_of(const char *text, uint32_t size);

/* Begins to listen to the store, where there is one. Its port, or 0. */
evtchn_port_t orders_begin(void);

/* Takes what the store says; ends the domain if that is its order. */
void orders_take(void);
