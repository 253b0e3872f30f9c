/* SPDX-License-Identifier: MIT */
/* What daemons have in common. */
#pragma once

/*
 * Takes SIGTERM and SIGINT out of the process's way: the descriptor, not to be
 * waited for, becomes readable when the daemon is asked to end. A peer that
 * goes away no longer ends it (SIGPIPE). -1 with errno.
 */
int daemon_catch_signals(void);
