/* SPDX-License-Identifier: MIT */
/*
 * Virtual memory in core dumps (core_segments.h). Linux maps one L1 table at
 * some 65,000 places, and a guest may do so with all its tables: each frame is
 * walked as a table a few times and no more.
 */
#include "dom0_tools/mica/core_segments.h"

#include <stdlib.h>
#include <string.h>

#include "core/pte.h"

enum {
    LEVELS = 4,
    ENTRIES = CONTROL_PAGE_SIZE / sizeof(uint64_t),
    ENTRY_BITS = 9,
    VISITS_MAX = 4, /* of a frame as a table */
    FIRST_ROOM = 256,
};

/* Where a frame is in the dump. */
struct place {
    uint64_t frame;
    uint64_t index;
};

struct walk {
    struct control *control;
    domid_t domain;
    struct place *places; /* in the order of frames */
    uint64_t page_count;
    uint8_t *visits; /* by index of the page */
    struct core_segments *found;
    size_t room;
    bool is_out_of_memory;
    uint64_t tables[LEVELS][ENTRIES]; /* those on the way down, L1 first */
};

/* See core_segments.h. */
bool core_copy_frame(struct control *control, domid_t domain, uint64_t frame,
                     void *copy)
{
    void *mapping = control_map_frames(control, domain, &frame, 1, false, NULL);

    if (!mapping)
        return false;
    memcpy(copy, mapping, CONTROL_PAGE_SIZE);
    control_unmap_frames(control, mapping, 1);
    return true;
}

static int compare_places(const void *a, const void *b)
{
    uint64_t x = ((const struct place *)a)->frame;
    uint64_t y = ((const struct place *)b)->frame;

    return (x > y) - (x < y);
}

/* NULL if the frame is not in the dump. */
static const struct place *find_place(const struct walk *w, uint64_t frame)
{
    const struct place wanted = {.frame = frame};

    return bsearch(&wanted, w->places, w->page_count, sizeof(*w->places),
                   compare_places);
}

static bool make_room(struct walk *w)
{
    size_t room = w->room ? 2 * w->room : FIRST_ROOM;
    struct core_segment *list;

    if (w->found->count < w->room)
        return true;
    list = reallocarray(w->found->list, room, sizeof(*list));
    if (!list) {
        w->is_out_of_memory = true;
        return false;
    }
    w->found->list = list;
    w->room = room;
    return true;
}

/* One virtual page: it prolongs the last segment or starts the next one. */
static void add_page(struct walk *w, uint64_t address, uint64_t frame)
{
    struct core_segments *s = w->found;
    struct core_segment *last = s->count ? &s->list[s->count - 1] : NULL;
    const struct place *place = find_place(w, frame);

    if (!place)
        return;
    if (last && last->address + last->count * CONTROL_PAGE_SIZE == address &&
        last->first + last->count == place->index) {
        last->count++;
        return;
    }
    if (s->count < CORE_SEGMENTS_MAX && make_room(w))
        s->list[s->count++] = (struct core_segment){address, place->index, 1};
}

static bool read_table(struct walk *w, unsigned level, uint64_t frame)
{
    const struct place *place = find_place(w, frame);

    if (!place || w->visits[place->index] == VISITS_MAX)
        return false;
    w->visits[place->index]++;
    return core_copy_frame(w->control, w->domain, frame, w->tables[level - 1]);
}

/* The address of entry `i` in a table that maps memory from `address` on. */
static uint64_t entry_address(unsigned level, uint64_t address, unsigned i)
{
    unsigned shift = CONTROL_PAGE_SHIFT + ENTRY_BITS * (level - 1);

    if (level == LEVELS && i >= ENTRIES / 2)
        address = ~0ull << (shift + ENTRY_BITS);
    return address + ((uint64_t)i << shift);
}

/* Calls itself for the tables of the level below, down to L1. */
static void walk_table(struct walk *w, unsigned level, uint64_t frame,
                       uint64_t address)
{
    unsigned first = level == LEVELS ? ENTRIES / 2 : 0;
    unsigned n;

    if (!read_table(w, level, frame))
        return;
    for (n = 0; n < ENTRIES; n++) {
        unsigned i = (first + n) % ENTRIES;
        uint64_t entry = w->tables[level - 1][i];
        uint64_t target = (entry & PTE_FRAME_MASK) >> CONTROL_PAGE_SHIFT;

        if (!(entry & PTE_PRESENT))
            continue;
        if (level == 1)
            add_page(w, entry_address(level, address, i), target);
        else if (!(entry & PTE_LARGE))
            walk_table(w, level - 1, target, entry_address(level, address, i));
    }
}

static int prepare(struct walk *w, const struct core_page *pages,
                   struct error *e)
{
    uint64_t i;

    w->places = calloc(w->page_count + 1, sizeof(*w->places));
    w->visits = calloc(w->page_count + 1, sizeof(*w->visits));
    if (!w->places || !w->visits)
        return error_set(e, EXIT_STATUS_NO_MEMORY, "not enough memory");
    for (i = 0; i < w->page_count; i++)
        w->places[i] = (struct place){pages[i].frame, i};
    qsort(w->places, w->page_count, sizeof(*w->places), compare_places);
    return 0;
}

/* See core_segments.h. */
int core_segments_find(struct control *control, domid_t domain, uint64_t root,
                       const struct core_page *pages, uint64_t page_count,
                       struct core_segments *found, struct error *e)
{
    struct walk *w = calloc(1, sizeof(*w));
    int result = -1;

    *found = (struct core_segments){NULL, 0};
    if (!w)
        return error_set(e, EXIT_STATUS_NO_MEMORY, "not enough memory");
    w->control = control;
    w->domain = domain;
    w->page_count = page_count;
    w->found = found;
    if (!prepare(w, pages, e)) {
        walk_table(w, LEVELS, root, 0);
        result = w->is_out_of_memory
                     ? error_set(e, EXIT_STATUS_NO_MEMORY, "not enough memory")
                     : 0;
    }
    free(w->places);
    free(w->visits);
    free(w);
    return result;
}
