/* SPDX-License-Identifier: MIT */
/* Help at the terminal, from the table of verbs. */
#pragma once

#include "dom0_tools/mica/verb.h"

/* All verbs, a line each. */
void help_print_all(FILE *out);

/* One verb with its options. */
void help_print_verb(const struct verb *verb, FILE *out);
