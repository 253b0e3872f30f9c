/* SPDX-License-Identifier: MIT */
/*
 * The screen of top. It is drawn from scratch for every sample and key,
 * which ncurses turns into what has changed.
 */
#include "dom0_tools/mica/top.h"

#include <curses.h>
#include <time.h>

#define NS_PER_S 1000000000ull
#define NS_PER_MS 1000000ull

struct screen {
    struct call *call;
    struct top_sample sample;
    enum top_order order;
    bool has_vcpus;
    unsigned first; /* row at the top, when scrolled */
    unsigned delay;
};

/* The domains' part of the screen: from line TOP, up to the last one. */
#define TOP 3
#define END (LINES - 1)

static void draw_line(int y, const char *line, attr_t attributes)
{
    attrset(attributes);
    mvaddnstr(y, 0, line, COLS);
    clrtoeol();
    attrset(A_NORMAL);
}

static void draw_head(const struct screen *s, const struct top_layout *layout)
{
    char line[TOP_LINE_SIZE], clock[16];
    time_t now = time(NULL);
    struct tm tm;

    strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&now, &tm));
    snprintf(line, sizeof(line), "%s  %u domain%s, by %s", clock,
             s->sample.count, s->sample.count == 1 ? "" : "s",
             top_order_name(s->order));
    draw_line(0, line, A_NORMAL);
    top_format_machine(&s->sample, line);
    draw_line(1, line, A_NORMAL);
    top_format_heading(layout, line);
    draw_line(2, line, A_REVERSE);
}

/* A domain, and its vCPUs where they are wanted; the next free line. */
static int draw_domain(struct screen *s, const struct top_layout *layout, int y,
                       const struct top_row *row)
{
    const struct control_domain *d = &row->domain.info;
    char line[TOP_LINE_SIZE];
    unsigned vcpu;

    top_format_row(layout, &s->sample, row, line);
    draw_line(y++, line, A_BOLD);
    for (vcpu = 0; s->has_vcpus && vcpu < d->max_vcpus && y < END; vcpu++)
        if (top_format_vcpu(s->call, d->domain, vcpu, line))
            draw_line(y++, line, A_NORMAL);
    return y;
}

static void draw(struct screen *s)
{
    struct top_layout layout = top_choose_layout(&s->sample, (unsigned)COLS);
    unsigned i;
    int y = TOP;

    erase();
    draw_head(s, &layout);
    if (s->first >= s->sample.count)
        s->first = s->sample.count ? s->sample.count - 1 : 0;
    for (i = s->first; i < s->sample.count && y < END; i++)
        y = draw_domain(s, &layout, y, &s->sample.rows[i]);
    draw_line(LINES - 1, "s sort  v vCPUs  arrows scroll  q quit", A_DIM);
    refresh();
}

static int take(struct screen *s, struct error *e)
{
    struct top_sample sample;

    if (top_take(s->call, &sample, s->sample.rows ? &s->sample : NULL, e))
        return -1;
    top_free(&s->sample);
    s->sample = sample;
    top_sort(&s->sample, s->order);
    return 0;
}

/* False to end. */
static bool press(struct screen *s, int key)
{
    unsigned page = END > TOP ? (unsigned)(END - TOP) : 1;

    switch (key) {
    case 'q':
    case 'Q':
        return false;
    case 's':
    case 'S':
        s->order = (s->order + 1) % TOP_ORDERS;
        top_sort(&s->sample, s->order);
        break;
    case 'v':
    case 'V':
        s->has_vcpus = !s->has_vcpus;
        break;
    case KEY_DOWN:
        s->first++;
        break;
    case KEY_UP:
        s->first -= s->first > 0;
        break;
    case KEY_NPAGE:
        s->first += page;
        break;
    case KEY_PPAGE:
        s->first -= s->first < page ? s->first : page;
        break;
    default: /* among them KEY_RESIZE: drawing anew is all it takes */
        break;
    }
    return true;
}

/* Keys until the next sample is due; false to end. */
static bool take_keys(struct screen *s)
{
    uint64_t end = top_now() + s->delay * NS_PER_S, now;

    while ((now = top_now()) < end) {
        int key;

        timeout((int)((end - now) / NS_PER_MS) + 1);
        key = getch();
        if (key == ERR)
            continue;
        if (!press(s, key))
            return false;
        draw(s);
    }
    return true;
}

static int show(struct screen *s, unsigned rounds, struct error *e)
{
    unsigned round;

    for (round = 0; !rounds || round < rounds; round++) {
        if (take(s, e))
            return -1;
        draw(s);
        if (!take_keys(s))
            break;
    }
    return 0;
}

/* See top.h. */
int top_run_screen(struct call *call, unsigned delay, unsigned rounds,
                   enum top_order order, struct error *e)
{
    struct screen s = {.call = call,
                       .order = order,
                       .delay = delay,
                       .has_vcpus = call_has(call, "vcpus")};
    SCREEN *terminal = newterm(NULL, stdout, stdin);
    int result;

    if (!terminal) {
        error_set(e, EXIT_STATUS_FAILED, "can't draw on this terminal");
        error_why(e, "its kind, $TERM, is not known here");
        return error_hint(e, "use \"mica top --batch\"");
    }
    cbreak();
    noecho();
    keypad(stdscr, TRUE);
    curs_set(0);
    result = show(&s, rounds, e);
    endwin();
    delscreen(terminal);
    top_free(&s.sample);
    return result;
}
