/* SPDX-License-Identifier: MIT */
/* The frame of a test kernel: its console, its tests, its end. */
#include "guest.h"

#include "hypercall_abi/console.h"
#include "hypercall_abi/sched.h"
#include "memory.h"
#include "trap.h"

extern const struct test tests_start[], tests_end[];

struct start_info *start_info;
struct shared_info *shared_info;
struct vcpu_info *the_vcpu_info;

static const struct test *current;
static bool has_failed;
static const char *skipped;
static char reason[160];

/* ---- memory and text ---------------------------------------------------- */

void *memset(void *to, int byte, size_t n)
{
    void *at = to;

    __asm__ volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(byte) : "memory");
    return to;
}

void *memcpy(void *to, const void *from, size_t n)
{
    void *at = to;

    __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(n) : : "memory");
    return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *p = a, *q = b;

    for (size_t i = 0; i < n; i++)
        if (p[i] != q[i])
            return p[i] - q[i];
    return 0;
}

struct text {
    char *at, *end;
};

static void put(struct text *t, char c)
{
    if (t->at < t->end)
        *t->at++ = c;
}

static void put_number(struct text *t, uint64_t n, unsigned base)
{
    char digits[20];
    unsigned i = 0;

    do {
        digits[i++] = "0123456789abcdef"[n % base];
        n /= base;
    } while (n);
    while (i)
        put(t, digits[--i]);
}

static void put_signed(struct text *t, long n)
{
    if (n < 0)
        put(t, '-');
    put_number(t, n < 0 ? -(uint64_t)n : (uint64_t)n, 10);
}

static void put_string(struct text *t, const char *s)
{
    while (*s)
        put(t, *s++);
}

/* %s %c %d %u %x and their long forms, # before x. */
static size_t format_text(char *buffer, size_t size, const char *f, va_list ap)
{
    struct text t = {buffer, buffer + size - 1};

    for (; *f; f++) {
        bool is_long = false;

        if (*f != '%') {
            put(&t, *f);
            continue;
        }
        for (f++; *f == '#' || *f == 'l'; f++) {
            if (*f == '#')
                put_string(&t, "0x");
            is_long |= *f == 'l';
        }
        if (*f == 's')
            put_string(&t, va_arg(ap, const char *));
        else if (*f == 'c')
            put(&t, (char)va_arg(ap, int));
        else if (*f == 'd')
            put_signed(&t, is_long ? va_arg(ap, long) : va_arg(ap, int));
        else
            put_number(
                &t, is_long ? va_arg(ap, unsigned long) : va_arg(ap, unsigned),
                *f == 'x' ? 16 : 10);
    }
    *t.at = 0;
    return (size_t)(t.at - buffer);
}

void print(const char *format, ...)
{
    char line[256];
    va_list ap;
    size_t n;

    va_start(ap, format);
    n = format_text(line, sizeof(line) - 1, format, ap);
    va_end(ap);
    line[n++] = '\n';
    hc_console_io(CONSOLEIO_write, n, ARG(line));
}

/* ---- results ------------------------------------------------------------ */

static void fail(const char *format, ...)
{
    char text[sizeof(reason)];
    va_list ap;

    va_start(ap, format);
    format_text(text, sizeof(text), format, ap);
    va_end(ap);
    print("# %s", text);
    if (!has_failed)
        memcpy(reason, text, sizeof(reason));
    has_failed = true;
}

void expect_true(bool ok, const char *what, int line)
{
    if (!ok)
        fail("line %d: not so: %s", line, what);
}

void expect_equal(uint64_t is, uint64_t wanted, const char *what, int line)
{
    if (is == wanted)
        return;
    if ((int64_t)is < 0 && (int64_t)is > -4096)
        fail("line %d: %s is %ld, not %#lx", line, what, (long)is, wanted);
    else
        fail("line %d: %s is %#lx, not %#lx", line, what, is, wanted);
}

void test_skip(const char *why)
{
    skipped = why;
}

bool test_has_failed(void)
{
    return has_failed;
}

static void run_current(uint64_t unused)
{
    (void)unused;
    current->run();
}

static void run_test(const struct test *t)
{
    int vector;

    current = t;
    has_failed = false;
    skipped = NULL;
    vector = trap_try(run_current, 0);
    trap_hook = NULL;
    mask_events();
    if (vector != ENTRY_NONE)
        print("ERROR %s/%s: entry %d, error code %#lx, at %#lx, address %#lx",
              guest_name, t->name, vector, trap.error_code, trap.rip, trap.cr2);
    else if (has_failed)
        print("FAIL %s/%s: %s", guest_name, t->name, reason);
    else if (skipped)
        print("SKIP %s/%s: %s", guest_name, t->name, skipped);
    else
        print("PASS %s/%s", guest_name, t->name);
}

/* In the order of the source. */
static void run_tests(void)
{
    uint64_t last = 0;

    for (const struct test *t = tests_start; t < tests_end; t++)
        if (t->line > last)
            last = t->line;
    for (uint64_t line = 0; line <= last; line++)
        for (const struct test *t = tests_start; t < tests_end; t++)
            if (t->line == line)
                run_test(t);
}

void guest_start(void);
void guest_start(void)
{
    struct sched_shutdown_args off = {.reason = SHUTDOWN_poweroff};

    print("TEST KERNEL %s", guest_name);
    memory_init();
    traps_init();
    guest_init();
    run_tests();
    print("DONE %s", guest_name);
    for (;;)
        hc_sched_op(SCHEDOP_shutdown, ARG(&off));
}
