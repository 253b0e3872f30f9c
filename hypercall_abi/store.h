/* SPDX-License-Identifier: MIT */
/*
 * The wire protocol of the store, a tree of small values in dom0 that every
 * domain reads, writes and watches: messages, and the ring over which a
 * domain exchanges them. Values are strings without a terminator; all other
 * fields of a message's body end with a zero byte.
 */
#pragma once

#include "hypercall_abi/abi.h"

/* What a message asks; its answer has the same type, or XS_ERROR. */
enum {
    XS_CONTROL = 0,
    XS_DIRECTORY = 1,
    XS_READ = 2,
    XS_GET_PERMS = 3,
    XS_WATCH = 4,
    XS_UNWATCH = 5,
    XS_TRANSACTION_START = 6,
    XS_TRANSACTION_END = 7,
    XS_INTRODUCE = 8,
    XS_RELEASE = 9,
    XS_GET_DOMAIN_PATH = 10,
    XS_WRITE = 11,
    XS_MKDIR = 12,
    XS_RM = 13,
    XS_SET_PERMS = 14,
    XS_WATCH_EVENT = 15, /* from the store, unasked: path, token */
    XS_ERROR = 16,       /* from the store: the error's name */
    XS_IS_DOMAIN_INTRODUCED = 17,
    XS_RESUME = 18,
    XS_SET_TARGET = 19,
    XS_RESET_WATCHES = 21,
    XS_DIRECTORY_PART = 22,
    XS_TYPE_COUNT = 23
};

/* The head of every message; len bytes of body follow. */
struct xsd_sockmsg {
    uint32_t type;
    uint32_t req_id; /* chosen by who asks, the same in the answer */
    uint32_t tx_id;  /* a transaction of the same connection, or 0 */
    uint32_t len;
};
ABI_SIZE(struct xsd_sockmsg, 16);
ABI_AT(struct xsd_sockmsg, req_id, 4);
ABI_AT(struct xsd_sockmsg, tx_id, 8);
ABI_AT(struct xsd_sockmsg, len, 12);

/* Bounds of a body, of a path from the root, of a path from a domain's home. */
#define XENSTORE_PAYLOAD_MAX 4096
#define XENSTORE_ABS_PATH_MAX 3072
#define XENSTORE_REL_PATH_MAX 2048

/* The errors that have a name on the wire, in the words of <errno.h>. */
#define XS_ERROR_NAMES(row)                                                    \
    row(EINVAL) row(EACCES) row(EEXIST) row(EISDIR) row(ENOENT) row(ENOMEM)    \
        row(ENOSPC) row(EIO) row(ENOTEMPTY) row(ENOSYS) row(EROFS) row(EBUSY)  \
            row(EAGAIN) row(EISCONN) row(E2BIG) row(EPERM)

#define XENSTORE_RING_SIZE 1024

/*
 * The page that a domain shares with the store: two streams of bytes. The
 * indexes count freely; the low bits of one are a place in its array.
 */
struct xenstore_domain_interface {
    char req[XENSTORE_RING_SIZE]; /* to the store */
    char rsp[XENSTORE_RING_SIZE]; /* from the store */
    uint32_t req_cons;            /* the store's */
    uint32_t req_prod;            /* the domain's */
    uint32_t rsp_cons;            /* the domain's */
    uint32_t rsp_prod;            /* the store's */
    uint32_t server_features;     /* XENSTORE_SERVER_FEATURE_* */
    uint32_t connection;          /* XENSTORE_CONNECTED or _RECONNECT */
    uint32_t error;               /* XENSTORE_ERROR_* */
};
ABI_SIZE(struct xenstore_domain_interface, 2076);
ABI_AT(struct xenstore_domain_interface, rsp, 1024);
ABI_AT(struct xenstore_domain_interface, req_cons, 2048);
ABI_AT(struct xenstore_domain_interface, req_prod, 2052);
ABI_AT(struct xenstore_domain_interface, rsp_cons, 2056);
ABI_AT(struct xenstore_domain_interface, rsp_prod, 2060);
ABI_AT(struct xenstore_domain_interface, server_features, 2064);
ABI_AT(struct xenstore_domain_interface, connection, 2068);
ABI_AT(struct xenstore_domain_interface, error, 2072);

#define XENSTORE_SERVER_FEATURE_RECONNECTION 1 /* honours _RECONNECT */
#define XENSTORE_SERVER_FEATURE_ERROR 2        /* the error member is valid */

#define XENSTORE_CONNECTED 0
#define XENSTORE_RECONNECT 1 /* the domain asks to start anew */

#define XENSTORE_ERROR_NONE 0
#define XENSTORE_ERROR_COMM 1    /* the connection broke */
#define XENSTORE_ERROR_RINGIDX 2 /* an index that can't be */
#define XENSTORE_ERROR_PROTO 3   /* a message that can't be */
