/* SPDX-License-Identifier: MIT */
/*
 * Domains with consoles, and a store, for the tests of the console daemon:
 * what hypervisor.h asks for, and what store.h declares of what it uses.
 */
#pragma once

#include <check.h>

#include "host/console_world.h"

/* An empty machine with an empty store; console_world_end() ends it. */
void fake_begin(void);

/* A domain with its nodes in the store, and one of them that was told of. */
void fake_create(domid_t id, const char *name);
void fake_introduce(domid_t id, const char *name);

/* It is gone, as the hypervisor and then the store tell. */
void fake_destroy(domid_t id);

/* The domain writes to its console and tells so, if there is room. */
void fake_print(domid_t id, const char *text);

/* What it finds as input, and takes. Good until the next call. */
const char *fake_take_input(domid_t id);

void fake_set_node(const char *path, const char *value);
/* "" if there is none. */
const char *fake_node(const char *path);
void fake_tell(const char *path);

/* The store daemon ends, now or at the n-th call, or is there again. */
void fake_stop_store(void);
void fake_stop_store_at(unsigned call);
void fake_start_store(void);
void fake_empty_store(void);
