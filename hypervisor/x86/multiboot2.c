/* SPDX-License-Identifier: MIT */
/*
 * The block is a sequence of tags, each with a type and a size, on 8-byte
 * boundaries. A tag too short for its type is ignored.
 */
#include "x86/multiboot2.h"

#define TAG_ALIGNMENT 8u
#define TAG_HEAD 8u

enum tag_type {
    TAG_END = 0,
    TAG_COMMAND_LINE = 1,
    TAG_LOADER = 2,
    TAG_MODULE = 3,
    TAG_BASIC_MEMORY = 4,
    TAG_MEMORY_MAP = 6,
    TAG_VBE = 7,
    TAG_FRAMEBUFFER = 8,
    TAG_EFI32 = 11,
    TAG_EFI64 = 12,
    TAG_RSDP_OLD = 14,
    TAG_RSDP_NEW = 15,
    TAG_EFI_MAP = 17,
    TAG_EFI_NOT_EXITED = 18,
};

#define VBE_MODE_INFO 528u
#define VBE_SIZE 784u
#define FRAMEBUFFER_COLOURS 32u
#define FRAMEBUFFER_SIZE 38u
#define FRAMEBUFFER_RGB 1u
#define FRAMEBUFFER_TEXT 2u
#define RSDP_OLD_SIZE 20u
#define EFI_DESCRIPTOR_MIN 40u
#define EFI_PAGES_MAX (1ull << 52)

/* EFI memory types that are plain RAM once boot services are gone. */
#define EFI_LOADER_CODE 1u
#define EFI_BOOT_DATA 4u
#define EFI_CONVENTIONAL 7u
#define EFI_UNUSABLE 8u
#define EFI_ACPI_TABLES 9u
#define EFI_ACPI_NVS 10u

/* A tag inside the block: all `size` bytes, its head included, are there. */
struct tag {
    const uint8_t *bytes;
    uint32_t type, size;
};

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const uint8_t *p)
{
    return get16(p) | (uint32_t)get16(p + 2) << 16;
}

static uint64_t get64(const uint8_t *p)
{
    return get32(p) | (uint64_t)get32(p + 4) << 32;
}

/* The string at `offset` if it ends inside the tag, else an empty one. */
static const char *get_string(const struct tag *t, uint32_t offset)
{
    const char *text = (const char *)t->bytes + offset;

    if (offset >= t->size || !memchr(text, 0, t->size - offset))
        return "";
    return text;
}

/*
 * Modules count by their order, so one that cannot be keeps its place as an
 * empty one.
 */
static int take_module(const struct tag *t, struct boot_info *out)
{
    struct boot_module *m = &out->modules[out->module_count];

    if (t->size < 16)
        return 0;
    if (out->module_count == BOOT_MAX_MODULES)
        return -E2BIG;
    m->start = get32(t->bytes + 8);
    m->end = get32(t->bytes + 12);
    if (m->end < m->start)
        m->end = m->start;
    m->command_line = get_string(t, 16);
    out->module_count++;
    return 0;
}

/* A range that wraps round the end of the address space means nothing. */
static int add_range(struct boot_info *out, uint64_t start, uint64_t size,
                     uint32_t type)
{
    int error = memory_map_add(&out->map, start, size, type);

    return error == -ERANGE ? 0 : error;
}

static int take_memory_map(const struct tag *t, struct boot_info *out)
{
    uint32_t entry_size;

    if (t->size < 16)
        return 0;
    entry_size = get32(t->bytes + 8);
    if (entry_size < 20)
        return 0;
    for (uint32_t at = 16; t->size - at >= entry_size; at += entry_size) {
        const uint8_t *e = t->bytes + at;
        int error = add_range(out, get64(e), get64(e + 8), get32(e + 16));

        if (error)
            return error;
    }
    return 0;
}

static uint32_t efi_type_to_bios(uint32_t type)
{
    if ((type >= EFI_LOADER_CODE && type <= EFI_BOOT_DATA) ||
        type == EFI_CONVENTIONAL)
        return MEMORY_RAM;
    if (type == EFI_ACPI_TABLES)
        return MEMORY_ACPI_TABLES;
    if (type == EFI_ACPI_NVS)
        return MEMORY_ACPI_NVS;
    return type == EFI_UNUSABLE ? MEMORY_BAD : MEMORY_RESERVED;
}

/* For loaders that give the EFI map only. */
static int take_efi_ranges(struct boot_info *out)
{
    size_t step = out->efi_descriptor_size;

    for (size_t at = 0; out->efi_map_size - at >= step; at += step) {
        const uint8_t *e = out->efi_map + at;
        uint64_t pages = min_u64(get64(e + 24), EFI_PAGES_MAX - 1);
        int error = add_range(out, get64(e + 8), pages << 12,
                              efi_type_to_bios(get32(e)));

        if (error)
            return error;
    }
    return 0;
}

/* The last resort: KiB below 640 KiB and KiB from 1 MiB on. */
static int take_basic_memory(const uint8_t *bytes, struct boot_info *out)
{
    int error =
        add_range(out, 0, min_u64(get32(bytes + 8), 640) << 10, MEMORY_RAM);

    if (error)
        return error;
    return add_range(out, 1u << 20, (uint64_t)get32(bytes + 12) << 10,
                     MEMORY_RAM);
}

static void take_framebuffer(const struct tag *t, struct boot_info *out)
{
    struct boot_framebuffer *f = &out->screen;
    const uint8_t *c = t->bytes + FRAMEBUFFER_COLOURS;

    if (t->size < 30)
        return;
    f->address = get64(t->bytes + 8);
    f->pitch = get32(t->bytes + 16);
    f->width = get32(t->bytes + 20);
    f->height = get32(t->bytes + 24);
    f->bits_per_pixel = t->bytes[28];
    if (t->bytes[29] == FRAMEBUFFER_TEXT)
        f->kind = BOOT_SCREEN_TEXT;
    if (t->bytes[29] != FRAMEBUFFER_RGB || t->size < FRAMEBUFFER_SIZE)
        return;
    f->kind = BOOT_SCREEN_GRAPHICS;
    f->red = (struct boot_colour){c[0], c[1]};
    f->green = (struct boot_colour){c[2], c[3]};
    f->blue = (struct boot_colour){c[4], c[5]};
}

static void take_rsdp(const struct tag *t, struct boot_info *out)
{
    size_t size = t->size - TAG_HEAD;

    if (size < RSDP_OLD_SIZE || size <= out->rsdp_size)
        return;
    out->rsdp = t->bytes + TAG_HEAD;
    out->rsdp_size = size;
}

static void take_efi_map(const struct tag *t, struct boot_info *out)
{
    uint32_t step;

    if (t->size < 16)
        return;
    step = get32(t->bytes + 8);
    if (step < EFI_DESCRIPTOR_MIN)
        return;
    out->is_efi = true;
    out->efi_descriptor_size = step;
    out->efi_descriptor_version = get32(t->bytes + 12);
    out->efi_map = t->bytes + 16;
    out->efi_map_size = t->size - 16;
}

static void take_efi_table(const struct tag *t, struct boot_info *out)
{
    if (t->type == TAG_EFI64 && t->size >= 16)
        out->efi_system_table = get64(t->bytes + 8);
    out->is_efi = true;
}

/* One tag of a kind that cannot fail. */
static void take_simple(const struct tag *t, struct boot_info *out)
{
    switch (t->type) {
    case TAG_COMMAND_LINE:
        out->command_line = get_string(t, TAG_HEAD);
        break;
    case TAG_LOADER:
        out->loader = get_string(t, TAG_HEAD);
        break;
    case TAG_VBE:
        if (t->size >= VBE_SIZE)
            out->vbe_mode = t->bytes + VBE_MODE_INFO;
        break;
    case TAG_FRAMEBUFFER:
        take_framebuffer(t, out);
        break;
    case TAG_RSDP_OLD:
    case TAG_RSDP_NEW:
        take_rsdp(t, out);
        break;
    case TAG_EFI32:
    case TAG_EFI64:
        take_efi_table(t, out);
        break;
    case TAG_EFI_MAP:
        take_efi_map(t, out);
        break;
    case TAG_EFI_NOT_EXITED:
        out->efi_is_exited = false;
        break;
    }
}

static int take_tag(const struct tag *t, struct boot_info *out,
                    const uint8_t **basic_memory)
{
    switch (t->type) {
    case TAG_MODULE:
        return take_module(t, out);
    case TAG_MEMORY_MAP:
        return take_memory_map(t, out);
    case TAG_BASIC_MEMORY:
        if (t->size >= 16)
            *basic_memory = t->bytes;
        return 0;
    default:
        take_simple(t, out);
        return 0;
    }
}

static int take_tags(const uint8_t *block, uint32_t size, struct boot_info *out,
                     const uint8_t **basic_memory)
{
    uint32_t at = MULTIBOOT2_HEAD;

    while (size - at >= TAG_HEAD) {
        struct tag t = {block + at, get32(block + at), get32(block + at + 4)};
        int error;

        if (t.type == TAG_END)
            return 0;
        if (t.size < TAG_HEAD || t.size > size - at)
            return -EINVAL;
        error = take_tag(&t, out, basic_memory);
        if (error)
            return error;
        if (align_up(t.size, TAG_ALIGNMENT) > size - at)
            return 0;
        at += (uint32_t)align_up(t.size, TAG_ALIGNMENT);
    }
    return 0;
}

/* The size in bytes of the block whose first MULTIBOOT2_HEAD bytes these are */
uint32_t multiboot2_size(const void *block)
{
    return get32(block);
}

/*
 * Fills *out from the block, of which `size` bytes may be read. -EINVAL for a
 * block that does not hang together, -E2BIG for more modules than Mica can
 * take, -ENOSPC for a memory map that is too long, -ENODATA without any.
 */
int multiboot2_parse(const void *block, size_t size, struct boot_info *out)
{
    const uint8_t *basic_memory = NULL;
    uint32_t total;
    int error;

    memset(out, 0, sizeof(*out));
    out->command_line = out->loader = "";
    out->efi_is_exited = true;
    if (size < MULTIBOOT2_HEAD)
        return -EINVAL;
    total = multiboot2_size(block);
    if (total < MULTIBOOT2_HEAD || total > size)
        return -EINVAL;
    error = take_tags(block, total, out, &basic_memory);
    if (!error && !out->map.count && out->efi_map)
        error = take_efi_ranges(out);
    if (!error && !out->map.count && basic_memory)
        error = take_basic_memory(basic_memory, out);
    if (error)
        return error;
    return out->map.count ? 0 : -ENODATA;
}
