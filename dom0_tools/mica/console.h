/* SPDX-License-Identifier: MIT */
/*
 * Attaching to a domain's console. The console daemon keeps a socket and a
 * terminal for each domain. When both are there it writes the terminal's path
 * to /local/domain/<id>/console/tty.
 */
#pragma once

#include "dom0_tools/mica/verb.h"
#include "hypercall_abi/abi.h"

#define CONSOLE_LOG_DIR "/var/log/mica/console"
#define CONSOLE_SOCKET_DIR "/run/mica/console"

/*
 * Opens a domain's console, waiting some seconds for the daemon to provide
 * it. A descriptor, or -1.
 */
int console_open(struct call *call, domid_t id, struct error *e);

/*
 * Connects this process's terminal with a console until Ctrl-] is typed or
 * the domain is gone. Closes the descriptor. 0, or -1.
 */
int console_talk(int console, struct error *e);

/* Closes a console that is not needed after all; -1 is fine. */
void console_close(int console);
