/* SPDX-License-Identifier: MIT */
/* The builder's hypervisor (builder_world.h). */
#include "builder_world.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "core/pte.h"
#include "dom0_tools/lib/control_system.h"
#include "hypercall_abi/elfnote.h"
#include "hypercall_abi/grant_table.h"

/* Frames count down, so that nothing works by frame and pfn being equal. */
#define TOP_FRAME 0x200000ull

#define MAX_FILES 8

struct world world;

static uint8_t *memory;
static char files[MAX_FILES][32];
static unsigned file_count;

/* See builder_world.h. */
void world_reset(void)
{
    world_free();
    world = (struct world){.free_pages = 100 << 8, .largest = 9};
    memory = calloc(WORLD_FRAMES, PAGE_SIZE);
    world.grants = calloc(1, PAGE_SIZE);
    ck_assert(memory && world.grants);
}

/* See builder_world.h. */
void world_free(void)
{
    free(memory);
    free(world.grants);
    memory = NULL;
    world.grants = NULL;
    while (file_count)
        unlink(files[--file_count]);
}

/* See builder_world.h. */
void *world_frame(uint64_t mfn)
{
    ck_assert(mfn < TOP_FRAME && mfn >= TOP_FRAME - world.given);
    return memory + (TOP_FRAME - 1 - mfn) * PAGE_SIZE;
}

/* See builder_world.h. */
uint64_t world_walk(uint64_t va, uint64_t *entry)
{
    uint64_t table = world.pinned;

    for (unsigned level = 4; level; level--) {
        *entry = ((uint64_t *)world_frame(table))[pt_index(va, level)];
        if (!(*entry & PTE_PRESENT))
            return 0;
        table = pte_frame(*entry).n;
    }
    return table;
}

/* --- files --------------------------------------------------------------- */

/* See builder_world.h. */
const char *world_file(const void *bytes, size_t size)
{
    char *path = files[file_count++];
    int fd;

    ck_assert_uint_le(file_count, MAX_FILES);
    strcpy(path, "/tmp/mica-builder-XXXXXX");
    fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes, size), (ssize_t)size);
    close(fd);
    return path;
}

struct header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, headers, sections;
    uint32_t flags;
    uint16_t size, header_size, header_count, section_size, sections_count,
        names;
};

struct segment {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, file_size, memory_size, align;
};

struct kernel_file {
    struct header header;
    struct segment load, notes;
    uint8_t note_bytes[512];
    uint8_t text[PAGE_SIZE];
};

static void put_note(struct kernel_file *k, uint32_t type, const void *value,
                     uint32_t size)
{
    uint8_t *at = k->note_bytes + k->notes.file_size;
    uint32_t head[3] = {4, size, type};

    memcpy(at, head, sizeof(head));
    memcpy(at + 12, "Xen", 4);
    memcpy(at + 16, value, size);
    k->notes.file_size += 16 + align_up(size, 4);
}

static void put_text(struct kernel_file *k, uint32_t type, const char *text)
{
    put_note(k, type, text, (uint32_t)strlen(text) + 1);
}

static void put_number(struct kernel_file *k, uint32_t type, uint64_t number)
{
    put_note(k, type, &number, sizeof(number));
}

static void put_notes(struct kernel_file *k, enum world_kernel kind)
{
    uint64_t base = kind == WORLD_LOW ? 0 : KERNEL_BASE;

    put_text(k, XEN_ELFNOTE_XEN_VERSION, "xen-3.0");
    put_text(k, XEN_ELFNOTE_LOADER, "generic");
    put_text(k, XEN_ELFNOTE_GUEST_OS, kind == WORLD_LINUX ? "linux" : "other");
    put_number(k, XEN_ELFNOTE_VIRT_BASE, base);
    put_number(k, XEN_ELFNOTE_ENTRY, base + KERNEL_PFN * PAGE_SIZE + 16);
    if (kind == WORLD_LINUX) {
        put_number(k, XEN_ELFNOTE_INIT_P2M, KERNEL_P2M);
        put_number(k, XEN_ELFNOTE_MOD_START_PFN, 1);
    } else {
        put_number(k, XEN_ELFNOTE_HYPERCALL_PAGE,
                   base + (KERNEL_PFN + 1) * PAGE_SIZE);
    }
}

/* See builder_world.h. */
const char *world_kernel_file(enum world_kernel kind)
{
    struct kernel_file k = {
        .header =
            {
                .ident = "\177ELF\2\1\1",
                .type = 2,
                .machine = 62,
                .headers = offsetof(struct kernel_file, load),
                .header_size = sizeof(struct segment),
                .header_count = 2,
            },
        .load =
            {
                .type = 1,
                .flags = 7,
                .offset = offsetof(struct kernel_file, text),
                .paddr = KERNEL_PFN * PAGE_SIZE,
                .file_size = PAGE_SIZE,
                .memory_size = 3 * PAGE_SIZE,
            },
        .notes =
            {
                .type = 4,
                .offset = offsetof(struct kernel_file, note_bytes),
            },
        .text = KERNEL_TEXT,
    };

    put_notes(&k, kind);
    return world_file(&k, sizeof(k));
}

/* See builder_world.h. */
const char *world_gzip_file(const char *path)
{
    const char *packed = world_file("", 0);
    FILE *in = fopen(path, "rb");
    gzFile out = gzopen(packed, "wb9");
    char bytes[PAGE_SIZE];
    size_t n;

    ck_assert(in && out);
    while ((n = fread(bytes, 1, sizeof(bytes), in)) > 0)
        ck_assert_int_eq(gzwrite(out, bytes, (unsigned)n), (int)n);
    fclose(in);
    ck_assert_int_eq(gzclose(out), Z_OK);
    return packed;
}

/* --- the calls ----------------------------------------------------------- */

/* Stands in for the hypervisor. */
int control_machine(struct control *c, struct control_machine *m,
                    struct error *e)
{
    (void)c;
    (void)e;
    *m = (struct control_machine){.free_pages = world.free_pages};
    return 0;
}

/* Gives frames from the top down, in runs up to the largest allowed. */
long control_populate(struct control *c, domid_t domain, unsigned order,
                      uint64_t *pfns, size_t count, struct error *e)
{
    size_t done = 0;

    (void)c;
    (void)e;
    ck_assert_uint_eq(domain, WORLD_DOMAIN);
    for (; order <= world.largest && done < count; done++) {
        if (world.given + (1ull << order) > world.free_pages)
            break;
        ck_assert_uint_eq(pfns[done] % (1ull << order), 0);
        world.given += 1ull << order;
        pfns[done] = TOP_FRAME - world.given;
    }
    return (long)done;
}

/* A window is a copy that goes back when it is unmapped. */
struct window {
    size_t count;
    uint64_t *frames;
    uint8_t *pages;
};

static struct window window;

/* Maps by copying; one window at a time. */
void *control_map_frames(struct control *c, domid_t domain,
                         const uint64_t *frames, size_t count, bool is_writable,
                         struct error *e)
{
    (void)c;
    (void)e;
    ck_assert_uint_eq(domain, WORLD_DOMAIN);
    ck_assert(is_writable && !world.mappings && !world.pinned);
    window.count = count;
    window.frames = calloc(count, sizeof(*frames));
    window.pages = calloc(count, PAGE_SIZE);
    ck_assert(window.frames && window.pages);
    memcpy(window.frames, frames, count * sizeof(*frames));
    for (size_t i = 0; i < count; i++)
        memcpy(window.pages + i * PAGE_SIZE, world_frame(frames[i]), PAGE_SIZE);
    world.mappings++;
    return window.pages;
}

/*
 * Copies back what changed: a frame that is mapped twice is written through
 * both of its pages.
 */
void control_unmap_frames(struct control *c, void *mapping, size_t count)
{
    (void)c;
    if (mapping == world.grants)
        return;
    ck_assert_ptr_eq(mapping, window.pages);
    ck_assert_uint_eq(count, window.count);
    for (size_t i = 0; i < count; i++) {
        uint8_t *to = world_frame(window.frames[i]);

        for (size_t n = 0; n < PAGE_SIZE; n++)
            if (window.pages[i * PAGE_SIZE + n])
                to[n] = window.pages[i * PAGE_SIZE + n];
    }
    free(window.frames);
    free(window.pages);
    world.mappings--;
}

/* Notes the limit. */
int control_domain_set_max_memory(struct control *c, domid_t domain,
                                  uint64_t kib, struct error *e)
{
    (void)c;
    (void)domain;
    (void)e;
    world.max_kib = kib;
    return 0;
}

/* Notes the size of the only range. */
int control_set_memory_map(struct control *c, domid_t domain,
                           const struct control_memory_range *ranges,
                           unsigned count, struct error *e)
{
    (void)c;
    (void)domain;
    (void)e;
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(ranges->start, 0);
    world.map_size = ranges->size;
    return 0;
}

/* Notes the flags. */
int control_domain_set_kernel(struct control *c, domid_t domain, uint32_t flags,
                              struct error *e)
{
    (void)c;
    (void)domain;
    (void)e;
    world.flags = flags;
    return 0;
}

/* Notes the frame. */
int control_domain_fill_hypercall_page(struct control *c, domid_t domain,
                                       uint64_t frame, struct error *e)
{
    (void)c;
    (void)domain;
    (void)e;
    world.stubs_frame = frame;
    return 0;
}

/* Knows the frame of shared_info. */
int control_domain_info(struct control *c, domid_t domain,
                        struct control_domain *info, struct error *e)
{
    (void)c;
    (void)e;
    *info = (struct control_domain){
        .domain = domain,
        .shared_info_frame = WORLD_SHARED_INFO,
    };
    return 0;
}

/* The grant table's first page. */
void *control_map_grant_table(struct control *c, domid_t domain, size_t count,
                              struct error *e)
{
    (void)c;
    (void)domain;
    (void)e;
    ck_assert_uint_eq(count, 1);
    return world.grants;
}

/* Notes the root. */
int control_pin_table(struct control *c, domid_t domain,
                      enum control_table_level level, uint64_t frame,
                      struct error *e)
{
    (void)c;
    (void)domain;
    (void)e;
    ck_assert_int_eq(level, CONTROL_TABLE_L4);
    ck_assert_uint_eq(world.mappings, 0);
    world.pinned = frame;
    return 0;
}

/* Notes the registers. */
int control_vcpu_set_context(struct control *c, domid_t domain, unsigned vcpu,
                             const struct vcpu_guest_context *context,
                             struct error *e)
{
    (void)c;
    (void)domain;
    (void)e;
    ck_assert_uint_eq(vcpu, 0);
    ck_assert(world.pinned);
    world.is_started = true;
    world.context = *context;
    return 0;
}
