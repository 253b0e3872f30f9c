/* SPDX-License-Identifier: MIT */
/* The device files through which Linux's drivers serve a process. */
#pragma once

#include "dom0_tools/lib/error.h"

/*
 * Opens a device with open(2)'s flags, closed on exec. Its descriptor; -1
 * with EXIT_STATUS_NO_SERVICE and the kernel's module to load where there is
 * no such device.
 */
int device_open(const char *path, int flags, const char *module,
                struct error *e);
