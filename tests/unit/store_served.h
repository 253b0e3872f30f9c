/* SPDX-License-Identifier: MIT */
/*
 * A daemon in this process, turned by hand, with a world of domains of which
 * 1 and 2 are introduced and own their homes.
 */
#pragma once

#include "store_world.h"

extern char served_directory[64], served_socket[96];
extern struct fake_world *world;
extern struct server server;
extern struct guest guests[WORLD_DOMAINS];

/* The fixture. */
void served_setup(void);
void served_teardown(void);

/*
 * Starts the daemon, on what server_end() or a kill left. The first returns
 * -1 where the second has the test fail.
 */
int served_try_begin(struct error *e);
void served_begin(void);

/* Lets the daemon do all it can. */
void served_turn(void);

/* One request as a kernel would make it: its size. */
size_t served_make(uint8_t *out, uint32_t type, uint32_t req_id,
                   const void *body, size_t size);

/* Has a domain ask, and take the answer; its body as text. */
const char *served_ask(unsigned domain, uint32_t type, const void *fields,
                       size_t size);
#define ASK(domain, type, text) served_ask(domain, type, text, sizeof(text))

void served_introduce(unsigned domain);
