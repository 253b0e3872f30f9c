/* SPDX-License-Identifier: MIT */
/*
 * The log: lines with the time in front, a ring that keeps the newest of
 * them, the consoles (log.h). Guests' own console output passes here too, so
 * that it doesn't tear our lines; what unprivileged guests write is cut into
 * lines, marked with its source and limited in its rate, and is a message of the
 * lowest level, which nobody sees who did not ask for it.
 */
#include "core/log.h"

#include "core/domain.h"
#include "core/pcpu.h"
#include "core/spinlock.h"
#include "core/vcpu.h"

#define RING_SIZE (CONFIG_LOG_RING_KIB * 1024ull)
#define LINE_SIZE 1024
#define GUEST_LINE 160 /* longer lines of guests are cut */
#define GUEST_LINES 8  /* unprivileged guests whose output is remembered */
#define BURST 200u     /* lines in a second, where they are limited */
#define PANIC_SPINS 10000000u

/* Allows BURST lines at once and BURST in each second. */
struct rate_limit {
    nsec_t start;     /* of the current second */
    unsigned used;    /* lines since then */
    unsigned dropped; /* lines lost since the last that passed */
};

/* A line of an unprivileged guest, as far as it has come. */
struct guest_line {
    domid_t id;
    uint64_t used_at; /* 0: slot is free */
    size_t length;
    struct rate_limit limit;
    char text[GUEST_LINE];
};

static struct {
    struct spinlock lock;
    char ring[RING_SIZE];
    uint64_t written; /* bytes ever put into the ring */
    uint64_t cleared; /* bytes before this one are forgotten */
    char line[LINE_SIZE];
    bool is_inside_line; /* dom0's text on the console has no end of line yet */
    struct rate_limit guests; /* on the ring */
    uint64_t uses;            /* counts up, for guest_line.used_at */
    struct guest_line guest_lines[GUEST_LINES];
} logger;

/* What reaches the consoles, of Mica's messages and of those about guests. */
static struct log_source {
    struct log_threshold threshold;
    struct rate_limit limit;
} mica = {.threshold = LOG_THRESHOLD_DEFAULT},
  guests = {.threshold = LOG_THRESHOLD_GUESTS}; /* lock */

/* Sets how many levels of messages go to the consoles. */
void log_set_thresholds(struct log_threshold of_mica,
                        struct log_threshold about_guests)
{
    spin_lock(&logger.lock);
    mica.threshold = of_mica;
    guests.threshold = about_guests;
    spin_unlock(&logger.lock);
}

static bool limit_allows(struct rate_limit *limit)
{
    nsec_t now = arch_now();

    if (now - limit->start >= NSEC_PER_SEC) {
        limit->start = now;
        limit->used = 0;
    }
    if (limit->used >= BURST) {
        limit->dropped++;
        return false;
    }
    limit->used++;
    return true;
}

static void ring_put(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        logger.ring[(logger.written + i) % RING_SIZE] = text[i];
    logger.written += length;
}

/* Starts a new line if dom0 left one unfinished, whose prompt may be seen. */
static void write_line(const char *line, size_t length)
{
    if (logger.is_inside_line)
        arch_console_write("\n", 1);
    logger.is_inside_line = false;
    arch_console_write(line, length);
}

/* Lock held. `who` comes between the time and the message. */
static void emit_va(bool to_console, const char *who, const char *fmt,
                    va_list args)
{
    nsec_t now = arch_now();
    char *line = logger.line;
    size_t length = (size_t)format(
        line, LINE_SIZE, "(MICA) [%5llu.%06llu] %s",
        (unsigned long long)(now / NSEC_PER_SEC),
        (unsigned long long)(now % NSEC_PER_SEC / NSEC_PER_US), who);

    length += (size_t)format_va(line + length, LINE_SIZE - length, fmt, args);
    length = min_u64(length, LINE_SIZE - 1);
    line[length++] = '\n';
    ring_put(line, length);
    if (to_console)
        write_line(line, length);
}

static void emit(bool to_console, const char *who, const char *fmt, ...)
    printf_like(3, 4);

static void emit(bool to_console, const char *who, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    emit_va(to_console, who, fmt, args);
    va_end(args);
}

/* Whether a message goes to the consoles. */
static bool is_shown(struct log_source *source, enum log_level level)
{
    return level < source->threshold.always ||
           (level < source->threshold.limited && limit_allows(&source->limit));
}

/* A message of Mica's. */
void log_message(enum log_level level, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    spin_lock(&logger.lock);
    emit_va(is_shown(&mica, level), "", fmt, args);
    spin_unlock(&logger.lock);
    va_end(args);
}

/*
 * A message about what the running guest did; it names the guest. Their
 * number is limited, since guests decide how many there are.
 */
void log_guest(enum log_level level, const char *fmt, ...)
{
    const struct vcpu *v = current_vcpu();
    bool to_console;
    char who[24] = "";
    va_list args;

    if (v)
        format(who, sizeof(who), "d%uv%u: ", v->domain->id, v->id);
    va_start(args, fmt);
    spin_lock(&logger.lock);
    if (limit_allows(&logger.guests)) {
        to_console = is_shown(&guests, level);
        if (logger.guests.dropped)
            emit(to_console, "", "%u messages about guests were dropped",
                 logger.guests.dropped);
        logger.guests.dropped = 0;
        emit_va(to_console, who, fmt, args);
    }
    spin_unlock(&logger.lock);
    va_end(args);
}

static void keep_line(const char *line, int length)
{
    ring_put(line, (size_t)length);
    write_line(line, (size_t)length);
}

/* Sends the line that `g` has collected to the ring and the consoles. */
static void flush_guest_line(struct guest_line *g)
{
    char out[GUEST_LINE + 48];

    if (is_shown(&guests, LOG_DEBUG) && limit_allows(&g->limit)) {
        if (g->limit.dropped)
            keep_line(out,
                      format(out, sizeof(out), "(d%u) ... %u lines dropped\n",
                             g->id, g->limit.dropped));
        g->limit.dropped = 0;
        keep_line(out, format(out, sizeof(out), "(d%u) %.*s\n", g->id,
                              (int)g->length, g->text));
    }
    g->length = 0;
}

/* The slot of domain `id`; the one longest unused gives way to a new one. */
static struct guest_line *guest_line_of(domid_t id)
{
    struct guest_line *oldest = logger.guest_lines;
    struct guest_line *g = oldest, *end = oldest + GUEST_LINES;

    for (; g < end && !(g->used_at && g->id == id); g++)
        if (g->used_at < oldest->used_at)
            oldest = g;
    if (g == end) {
        g = oldest;
        if (g->length)
            flush_guest_line(g);
        *g = (struct guest_line){.id = id};
    }
    g->used_at = ++logger.uses;
    return g;
}

static void put_guest_character(struct guest_line *g, char c)
{
    if (c == '\n') {
        flush_guest_line(g);
        return;
    }
    if (c == '\r')
        return;
    if (g->length == GUEST_LINE)
        flush_guest_line(g);
    /* Nothing that could move a terminal's cursor. */
    g->text[g->length++] = (c >= ' ' && c != 0x7f) || c == '\t' ? c : '?';
}

/*
 * Console output of domain `id`. The first domain's goes out as it is, so
 * that its terminal programs work, and isn't kept in the ring.
 */
void log_guest_text(domid_t id, const char *text, size_t length)
{
    spin_lock(&logger.lock);
    if (id == 0) {
        arch_console_write(text, length);
        if (length)
            logger.is_inside_line = text[length - 1] != '\n';
    } else {
        struct guest_line *g = guest_line_of(id);

        for (size_t i = 0; i < length; i++)
            put_guest_character(g, text[i]);
    }
    spin_unlock(&logger.lock);
}

/*
 * Copies what the ring holds from byte number *position on, counted since
 * boot, to `out`; what is gone already is skipped. Moves *position behind it
 * and returns the number of bytes.
 */
size_t log_ring_read(char *out, size_t size, uint64_t *position)
{
    uint64_t oldest;
    size_t n;

    spin_lock(&logger.lock);
    oldest = logger.cleared;
    if (logger.written > RING_SIZE)
        oldest = max_u64(oldest, logger.written - RING_SIZE);
    if (*position < oldest || *position > logger.written)
        *position = oldest;
    n = min_u64(size, logger.written - *position);
    for (size_t i = 0; i < n; i++)
        out[i] = logger.ring[(*position + i) % RING_SIZE];
    *position += n;
    spin_unlock(&logger.lock);
    return n;
}

/* The number, counted since boot, of the next byte that the ring will get. */
uint64_t log_ring_end(void)
{
    uint64_t end;

    spin_lock(&logger.lock);
    end = logger.written;
    spin_unlock(&logger.lock);
    return end;
}

/* Forgets what the ring holds. */
void log_ring_clear(void)
{
    spin_lock(&logger.lock);
    logger.cleared = logger.written;
    spin_unlock(&logger.lock);
}

/* Takes the log's lock unless its holder seems to be stuck, or is us. */
static bool lock_for_panic(void)
{
    for (unsigned i = 0; i < PANIC_SPINS; i++) {
        uint32_t serving =
            __atomic_load_n(&logger.lock.serving, __ATOMIC_RELAXED);

        if (__atomic_compare_exchange_n(&logger.lock.next, &serving,
                                        serving + 1, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
            return true;
    }
    return false;
}

/*
 * The end: Mica is wrong and can't go on. Writes the message as one line to
 * the ring and the consoles and stops the machine.
 */
_Noreturn void panic(const char *fmt, ...)
{
    static char text[LINE_SIZE];
    static bool panicking;
    va_list args;
    bool locked;

    if (__atomic_exchange_n(&panicking, true, __ATOMIC_SEQ_CST))
        arch_panic("panic in a panic, or on two processors");
    va_start(args, fmt);
    format_va(text, sizeof(text), fmt, args);
    va_end(args);
    locked = lock_for_panic();
    emit(true, "panic: ", "%s", text);
    if (locked)
        spin_unlock(&logger.lock);
    arch_panic(text);
}
