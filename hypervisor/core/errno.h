/* SPDX-License-Identifier: MIT */
/*
 * Error numbers of the hypercall ABI. They are Linux's, which Xen shares;
 * functions return them negated. On a host build <errno.h> may already have
 * defined the same names with the same values.
 */
#pragma once

#ifndef EPERM
#define EPERM 1
#define ENOENT 2
#define ESRCH 3
#define EIO 5
#define ENXIO 6
#define E2BIG 7
#define EAGAIN 11
#define ENOMEM 12
#define EACCES 13
#define EFAULT 14
#define EBUSY 16
#define EEXIST 17
#define ENODEV 19
#define EINVAL 22
#define ENOSPC 28
#define ERANGE 34
#define ENOSYS 38
#define ENODATA 61
#define EOPNOTSUPP 95
#define ENOBUFS 105
#endif

/*
 * Internal only, never seen by a guest: the operation stopped half-way at a
 * consistent point because it ran long; call again to go on.
 */
#ifndef ERESTART
#define ERESTART 85
#endif
