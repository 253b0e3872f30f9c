/* SPDX-License-Identifier: MIT */
/* Event channels of this process (evtchn.h). */
#include "dom0_tools/lib/evtchn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/types.h>
#include <unistd.h>

#include <xen/evtchn.h>

#include "dom0_tools/lib/device.h"

#define DEVICE "/dev/xen/evtchn"

struct event_device {
    int fd;
};

/* See evtchn.h. */
struct event_device *event_device_open(struct error *e)
{
    struct event_device *d = malloc(sizeof(*d));

    if (!d) {
        error_set_errno(e, ENOMEM, "can't open " DEVICE);
        return NULL;
    }
    d->fd = device_open(DEVICE, O_RDWR | O_NONBLOCK, "xen-evtchn", e);
    if (d->fd >= 0)
        return d;
    free(d);
    return NULL;
}

/* See evtchn.h. */
void event_device_close(struct event_device *d)
{
    if (!d)
        return;
    close(d->fd);
    free(d);
}

/* See evtchn.h. */
int event_device_fd(const struct event_device *d)
{
    return d->fd;
}

/* See evtchn.h. */
int event_device_bind(struct event_device *d, domid_t domain,
                      evtchn_port_t remote, evtchn_port_t *port,
                      struct error *e)
{
    struct ioctl_evtchn_bind_interdomain bind = {
        .remote_domain = domain,
        .remote_port = remote,
    };
    int result = ioctl(d->fd, IOCTL_EVTCHN_BIND_INTERDOMAIN, &bind);

    if (result < 0)
        return error_set_errno(e, errno, "can't bind to port %u of domain %u",
                               remote, domain);
    *port = (evtchn_port_t)result;
    return 0;
}

/* See evtchn.h. */
int event_device_bind_virq(struct event_device *d, unsigned virq,
                           evtchn_port_t *port, struct error *e)
{
    struct ioctl_evtchn_bind_virq bind = {.virq = virq};
    int result = ioctl(d->fd, IOCTL_EVTCHN_BIND_VIRQ, &bind);

    if (result < 0)
        return error_set_errno(e, errno, "can't bind virtual interrupt %u",
                               virq);
    *port = (evtchn_port_t)result;
    return 0;
}

/* See evtchn.h. */
int event_device_bind_unbound(struct event_device *d, domid_t domain,
                              evtchn_port_t *port, struct error *e)
{
    struct ioctl_evtchn_bind_unbound_port bind = {.remote_domain = domain};
    int result = ioctl(d->fd, IOCTL_EVTCHN_BIND_UNBOUND_PORT, &bind);

    if (result < 0)
        return error_set_errno(e, errno, "can't make a port for domain %u",
                               domain);
    *port = (evtchn_port_t)result;
    return 0;
}

/* See evtchn.h. */
int event_device_unbind(struct event_device *d, evtchn_port_t port,
                        struct error *e)
{
    struct ioctl_evtchn_unbind unbind = {.port = port};

    return ioctl(d->fd, IOCTL_EVTCHN_UNBIND, &unbind)
               ? error_set_errno(e, errno, "can't close port %u", port)
               : 0;
}

/* See evtchn.h. */
int event_device_notify(struct event_device *d, evtchn_port_t port,
                        struct error *e)
{
    struct ioctl_evtchn_notify notify = {.port = port};

    return ioctl(d->fd, IOCTL_EVTCHN_NOTIFY, &notify)
               ? error_set_errno(e, errno, "can't notify port %u", port)
               : 0;
}

/* See evtchn.h. */
int event_device_pending(struct event_device *d, evtchn_port_t *ports,
                         unsigned room, struct error *e)
{
    ssize_t n = read(d->fd, ports, room * sizeof(*ports));

    if (n >= 0)
        return (int)((size_t)n / sizeof(*ports));
    if (errno == EAGAIN || errno == EINTR)
        return 0;
    return error_set_errno(e, errno, "can't read " DEVICE);
}

/* See evtchn.h. */
int event_device_unmask(struct event_device *d, const evtchn_port_t *ports,
                        unsigned count, struct error *e)
{
    size_t size = count * sizeof(*ports);

    return write(d->fd, ports, size) == (ssize_t)size
               ? 0
               : error_set_errno(e, errno, "can't unmask ports");
}
