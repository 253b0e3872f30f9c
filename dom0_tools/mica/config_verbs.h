/* SPDX-License-Identifier: MIT */
/* The configuration that a command line describes. */
#pragma once

#include "dom0_tools/mica/domain_config.h"
#include "dom0_tools/mica/verb.h"

/*
 * Reads the file that operand `first` or the option --defconfig names, and
 * the settings that follow. domain_config_free() in either case.
 */
int config_of_call(struct call *call, unsigned first, struct domain_config *c,
                   struct error *e);
