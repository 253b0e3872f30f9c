/* SPDX-License-Identifier: MIT */
/*
 * The part of `info` about places: sockets and nodes of CPUs, devices and
 * memory. Mica makes all memory one node, so only CPUs have much to tell.
 */
#pragma once

#include "dom0_tools/lib/control_system.h"
#include "dom0_tools/mica/verb.h"

/* Adds a list for each kind to the report. */
int info_places_add(struct call *call, json_t *report,
                    const struct control_machine *machine, struct error *e);

/* Prints such a list in xl's columns. */
void info_places_print(const char *key, const json_t *list, FILE *out);
