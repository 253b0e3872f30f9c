/* SPDX-License-Identifier: MIT */
/*
 * Messages. Each call is one line; it goes to the log ring and, when levels
 * of its kind are shown, to the consoles. Safe from any context but an NMI,
 * also before there is a heap.
 *
 * One lock guards the ring, the line being made and the consoles; it is taken
 * last of all. After panic() it stays with the pCPU that panicked.
 *
 * Formats: %s %c %d %u %x %p %% with l, ll, z, the flags # and 0, a width; any
 * other is a bug, which a debug build notices.
 */
#pragma once

#include <stdarg.h>

#include "core/types.h"
#include "hypercall_abi/abi.h"

enum log_level {
    LOG_ERROR,
    LOG_WARNING,
    LOG_INFO,
    LOG_DEBUG,
    LOG_LEVELS,
};

/* How many levels, from LOG_ERROR on, go to the consoles, if nobody says. */
#define LOG_SHOWN (CONFIG_DEBUG ? LOG_LEVELS : LOG_INFO + 1)
#define LOG_SHOWN_OF_GUESTS (CONFIG_DEBUG ? LOG_LEVELS : LOG_WARNING + 1)

#define printf_like(fmt, first) __attribute__((format(printf, fmt, first)))

void log_message(enum log_level level, const char *fmt, ...) printf_like(2, 3);
void log_guest(enum log_level level, const char *fmt, ...) printf_like(2, 3);
void log_guest_text(domid_t id, const char *text, size_t length);
int format(char *out, size_t size, const char *fmt, ...) printf_like(3, 4);
int format_va(char *out, size_t size, const char *fmt, va_list args)
    printf_like(3, 0);
_Noreturn void panic(const char *fmt, ...) printf_like(1, 2);

#define log_error(...) log_message(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_WARNING, __VA_ARGS__)
#define log_info(...) log_message(LOG_INFO, __VA_ARGS__)

/*
 * The value of an error that a guest caused, with the reason for its author:
 * `return refuse(-EINVAL, "port %u is closed", port);`. Debug builds log it.
 */
#define refuse(code, ...)                                                      \
    ({                                                                         \
        if (CONFIG_DEBUG)                                                      \
            log_guest(LOG_DEBUG, __VA_ARGS__);                                 \
        (code);                                                                \
    })

/* Mica itself is wrong when `claim` is false. */
#define ASSERT(claim)                                                          \
    do {                                                                       \
        if (CONFIG_DEBUG && !(claim))                                          \
            panic("%s:%d: not so: %s", __FILE__, __LINE__, #claim);            \
    } while (0)

void log_set_levels(unsigned of_mica, unsigned about_guests);
size_t log_ring_read(char *out, size_t size, uint64_t *position);
uint64_t log_ring_end(void);
void log_ring_clear(void);
