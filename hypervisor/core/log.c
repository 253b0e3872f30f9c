/* SPDX-License-Identifier: MIT */
/*
 * The log: lines with the time in front, a ring that keeps the newest of
 * them, the consoles (log.h). dom0's own console output passes here too, so
 * that it doesn't tear our lines.
 */
#include "core/log.h"

#include "core/domain.h"
#include "core/pcpu.h"
#include "core/vcpu.h"

#define RING_SIZE (CONFIG_LOG_RING_KIB * 1024ull)
#define LINE_SIZE 1024
#define GUEST_LINE 160      /* longer lines of guests are cut */
#define GUEST_MESSAGES 200u /* in a second */
#define PANIC_SPINS 10000000u

static struct {
    struct spinlock lock;
    unsigned shown[2]; /* levels that go to the consoles: Mica's, of guests */
    char ring[RING_SIZE];
    uint64_t written; /* atomic: bytes ever put into the ring */
    uint64_t cleared; /* bytes before this one are forgotten */
    char line[LINE_SIZE];
    bool is_inside_line; /* dom0's text on the console has no end of line yet */
    nsec_t second;       /* when this second of messages about guests began */
    unsigned messages;   /* about guests in it */
    unsigned dropped;    /* and lost since the last that was not */
} logger = {.shown = {LOG_SHOWN, LOG_SHOWN_OF_GUESTS}};

/* The pCPU that panicked: the lock is its own, and it never lets go. */
static const struct pcpu *panicking_on; /* atomic */

static bool is_panicking(void)
{
    return __atomic_load_n(&panicking_on, __ATOMIC_RELAXED) == this_pcpu();
}

static void lock_log(void)
{
    if (!is_panicking())
        spin_lock(&logger.lock);
}

static void unlock_log(void)
{
    if (!is_panicking())
        spin_unlock(&logger.lock);
}

/* Sets how many levels of messages, from LOG_ERROR on, go to the consoles. */
void log_set_levels(unsigned of_mica, unsigned about_guests)
{
    logger.shown[0] = of_mica;
    logger.shown[1] = about_guests;
}

/* With the lock: as few in each second as a person can read. */
static bool may_tell_of_guests(nsec_t now)
{
    if (now - logger.second >= NSEC_PER_SEC) {
        logger.second = now;
        logger.messages = 0;
    }
    return logger.messages++ < GUEST_MESSAGES;
}

/* With the lock: ends the line that was made, and sends it where it belongs. */
static void emit(size_t length, bool is_shown)
{
    char *line = logger.line;

    length = min_u64(length, LINE_SIZE - 1);
    line[length++] = '\n';
    for (size_t i = 0; i < length; i++)
        logger.ring[(logger.written + i) % RING_SIZE] = line[i];
    __atomic_store_n(&logger.written, logger.written + length,
                     __ATOMIC_RELAXED);
    if (!is_shown)
        return;
    if (logger.is_inside_line) /* a prompt, perhaps, which may be seen */
        arch_console_write("\n", 1);
    logger.is_inside_line = false;
    arch_console_write(line, length);
}

/*
 * A message of Mica's. Of those about guests, which decide how many there are,
 * the number is limited; they name the guest.
 */
void log_message(unsigned level, const char *fmt, ...)
{
    bool is_of_guest = level & LOG_OF_GUEST;
    const struct vcpu *v = is_of_guest ? current_vcpu() : NULL;
    char who[64] = "", *line = logger.line;
    size_t length = 0;
    va_list args;
    nsec_t now;

    va_start(args, fmt);
    lock_log();
    now = arch_now();
    if (is_of_guest && !may_tell_of_guests(now)) {
        logger.dropped++;
    } else {
        if (logger.dropped)
            length = format(who, sizeof(who), "(%u messages dropped) ",
                            logger.dropped);
        if (v)
            format(who + length, sizeof(who) - length,
                   "d%uv%u: ", v->domain->id, v->id);
        logger.dropped = 0;
        length =
            format(line, LINE_SIZE, "(MICA) [%5llu.%06llu] %s",
                   now / NSEC_PER_SEC, now % NSEC_PER_SEC / NSEC_PER_US, who);
        length += format_va(line + length, LINE_SIZE - length, fmt, args);
        emit(length, (level & ~LOG_OF_GUEST) < logger.shown[is_of_guest]);
    }
    unlock_log();
    va_end(args);
}

/*
 * Console output of domain `id`. The first domain's goes out as it is, so
 * that its terminal programs work, and isn't kept in the ring; what others
 * write is a message of the lowest level about them.
 */
void log_guest_text(domid_t id, const char *text, size_t length)
{
    char line[GUEST_LINE];

    if (id == 0) {
        lock_log();
        arch_console_write(text, length);
        if (length)
            logger.is_inside_line = text[length - 1] != '\n';
        unlock_log();
        return;
    }
    length = min_u64(length, sizeof(line) - 1);
    for (size_t i = 0; i < length; i++) /* nothing that moves a cursor */
        line[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : ' ';
    line[length] = '\0';
    log_guest(LOG_DEBUG, "%s", line);
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

    lock_log();
    oldest = logger.cleared;
    if (logger.written > RING_SIZE)
        oldest = max_u64(oldest, logger.written - RING_SIZE);
    if (*position < oldest || *position > logger.written)
        *position = oldest;
    n = min_u64(size, logger.written - *position);
    for (size_t i = 0; i < n; i++)
        out[i] = logger.ring[(*position + i) % RING_SIZE];
    *position += n;
    unlock_log();
    return n;
}

/* The number, counted since boot, of the next byte that the ring will get. */
uint64_t log_ring_end(void)
{
    return __atomic_load_n(&logger.written, __ATOMIC_RELAXED);
}

/* Forgets what the ring holds. */
void log_ring_clear(void)
{
    lock_log();
    logger.cleared = logger.written;
    unlock_log();
}

/*
 * The end: Mica is wrong and can't go on. Writes the message as one line to
 * the ring and the consoles and stops the machine.
 */
_Noreturn void panic(const char *fmt, ...)
{
    static char text[LINE_SIZE];
    static bool has_begun;
    va_list args;

    if (__atomic_exchange_n(&has_begun, true, __ATOMIC_SEQ_CST))
        arch_panic("panic in a panic, or on two processors");
    va_start(args, fmt);
    format_va(text, sizeof(text), fmt, args);
    va_end(args);
    /* Whoever has the lock, this pCPU perhaps, may never let go. */
    for (unsigned i = 0; i < PANIC_SPINS && !spin_trylock(&logger.lock); i++)
        ;
    __atomic_store_n(&panicking_on, this_pcpu(), __ATOMIC_RELAXED);
    logger.shown[0] = LOG_LEVELS;
    log_error("panic: %s", text);
    arch_panic(text);
}
