/* SPDX-License-Identifier: MIT */
/*
 * console_io(cmd, count, char *buffer): the hypervisor's own console.
 * dom0; another domain gets -EPERM unless the build lets guests write.
 */
#pragma once

#include "hypercall_abi/abi.h"

enum {
    /* Prints count bytes, no terminator needed. 0, -EFAULT, -EPERM. */
    CONSOLEIO_write = 0,
    /*
     * Takes up to count bytes of input, announced by VIRQ_CONSOLE. Returns
     * the number of bytes, 0 when there are none; -EFAULT, -EPERM.
     */
    CONSOLEIO_read = 1
};
