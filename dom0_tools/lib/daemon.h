/* SPDX-License-Identifier: MIT */
/* What daemons have in common. Conventions of error.h. */
#pragma once

#include "dom0_tools/lib/error.h"

/*
 * Takes SIGTERM and SIGINT out of the process's way: the descriptor, not to be
 * waited for, becomes readable when the daemon is asked to end. A peer that
 * goes away no longer ends it (SIGPIPE). -1 with errno.
 */
int daemon_catch_signals(void);

/* Lets the process have as many descriptors as the system allows. */
void daemon_raise_limits(void);

/*
 * Listens at a path, for root alone whatever the umask is, in place of an
 * earlier daemon. The descriptor, not to be waited for, or -1.
 */
int daemon_listen(const char *path, struct error *e);

/*
 * Takes a connection, not to be waited for; -1 if there is none now. When
 * descriptors have run out it is refused at the cost of *spare, which
 * is opened again: a listener would else be readable for ever.
 */
int daemon_accept(int listener, int *spare);

/* A descriptor to be kept for daemon_accept(). -1 with errno. */
int daemon_open_spare(void);
