/* SPDX-License-Identifier: MIT */
/* Device files (device.h). */
#include "dom0_tools/lib/device.h"

#include <errno.h>
#include <fcntl.h>

/* See device.h. */
int device_open(const char *path, int flags, const char *module,
                struct error *e)
{
    int fd = open(path, flags | O_CLOEXEC);

    if (fd >= 0)
        return fd;
    error_set_errno(e, errno, "can't open %s", path);
    if (e && (e->number == ENOENT || e->number == ENODEV)) {
        e->status = EXIT_STATUS_NO_SERVICE;
        error_hint(e, "modprobe %s", module);
    }
    return -1;
}
