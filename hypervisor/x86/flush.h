/* SPDX-License-Identifier: MIT */
/* Requests of other pCPUs to flush; see flush.c. */
#pragma once

void flush_serve(void);
