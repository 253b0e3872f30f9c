/* SPDX-License-Identifier: MIT */
/*
 * The parts of the manual that the tables of verbs and settings hold: in
 * mdoc(7) for mica(1) and mica.cfg(5), and in Markdown for the documents;
 * and the completion of bash.
 */
#pragma once

#include <stdio.h>

#include "dom0_tools/mica/verb.h"

void manual_print_verbs(FILE *out);
void manual_print_settings(FILE *out);
void manual_print_markdown(FILE *out);
void manual_print_completion(FILE *out);

/* "-w, --wait", or "--timeout SECONDS". */
void verb_option_text(const struct verb_option *option, char *text,
                      size_t size);
