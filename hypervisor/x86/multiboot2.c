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
    TAG_MODULE = 3,
    TAG_BASIC_MEMORY = 4,
    TAG_MEMORY_MAP = 6,
    TAG_FRAMEBUFFER = 8,
    TAG_EFI32 = 11,
    TAG_EFI64 = 12,
    TAG_RSDP_OLD = 14,
    TAG_RSDP_NEW = 15,
    TAG_EFI_MAP = 17,
};

#define FRAMEBUFFER_COLOURS_END 38u
#define FRAMEBUFFER_RGB 1u
#define FRAMEBUFFER_TEXT 2u
#define BIOS_ENTRY_MIN 20u
#define EFI_DESCRIPTOR_MIN 40u
#define EFI_PAGES_MAX (1ull << 52)

/* The string from `offset` on if it ends inside the tag, else an empty one. */
static const char *get_string(struct bytes t, uint32_t offset)
{
    struct bytes text = bytes_part(t, offset, t.size);

    return text.size && memchr(text.at, 0, text.size) ? (const char *)text.at
                                                      : "";
}

static int take_command_line(struct bytes t, struct boot_info *out)
{
    out->command_line = get_string(t, TAG_HEAD);
    return 0;
}

/*
 * Modules count by their order, so one that cannot be keeps its place as an
 * empty one.
 */
static int take_module(struct bytes t, struct boot_info *out)
{
    uint32_t start = bytes_32(t, 8);

    if (out->module_count == BOOT_MAX_MODULES)
        return -E2BIG;
    out->modules[out->module_count++] = (struct boot_module){
        .start = start,
        .end = max_u64(start, bytes_32(t, 12)),
        .command_line = get_string(t, 16),
    };
    return 0;
}

/* A range that wraps round the end of the address space means nothing. */
static int add_range(struct boot_info *out, uint64_t start, uint64_t size,
                     uint32_t type)
{
    int error = memory_map_add(&out->map, start, size, type);

    return error == -ERANGE ? 0 : error;
}

static int add_bios_range(struct boot_info *out, struct bytes e)
{
    return add_range(out, bytes_64(e, 0), bytes_64(e, 8), bytes_32(e, 16));
}

/* EFI's types, of which code and data of loaders are RAM by now. */
static int add_efi_range(struct boot_info *out, struct bytes e)
{
    static const uint8_t types[] = {
        MEMORY_RESERVED, MEMORY_RAM,         MEMORY_RAM,      MEMORY_RAM,
        MEMORY_RAM,      MEMORY_RESERVED,    MEMORY_RESERVED, MEMORY_RAM,
        MEMORY_BAD,      MEMORY_ACPI_TABLES, MEMORY_ACPI_NVS,
    };
    uint32_t type = bytes_32(e, 0);

    return add_range(out, bytes_64(e, 8),
                     min_u64(bytes_64(e, 24), EFI_PAGES_MAX - 1) << 12,
                     type < ARRAY_LEN(types) ? types[type] : MEMORY_RESERVED);
}

/* A map's entries, whose size the tag tells, start at byte 16. */
static int add_ranges(struct boot_info *out, struct bytes t, uint32_t min_size,
                      int (*add)(struct boot_info *out, struct bytes e))
{
    uint32_t step = bytes_32(t, 8);
    int error = 0;

    if (step < min_size)
        return 0;
    for (size_t at = 16; !error && t.size - at >= step; at += step)
        error = add(out, bytes_part(t, at, step));
    return error;
}

static int take_memory_map(struct bytes t, struct boot_info *out)
{
    return add_ranges(out, t, BIOS_ENTRY_MIN, add_bios_range);
}

static int take_basic_memory(struct bytes t, struct boot_info *out)
{
    out->basic_memory = t;
    return 0;
}

static int take_framebuffer(struct bytes t, struct boot_info *out)
{
    uint8_t kind = bytes_8(t, 29);

    out->screen = (struct boot_framebuffer){
        .kind = kind == FRAMEBUFFER_TEXT ? BOOT_SCREEN_TEXT
                : kind == FRAMEBUFFER_RGB && t.size >= FRAMEBUFFER_COLOURS_END
                    ? BOOT_SCREEN_GRAPHICS
                    : BOOT_SCREEN_UNKNOWN,
        .address = bytes_64(t, 8),
        .pitch = bytes_32(t, 16),
        .width = bytes_32(t, 20),
        .height = bytes_32(t, 24),
        .bits_per_pixel = bytes_8(t, 28),
        .red = {bytes_8(t, 32), bytes_8(t, 33)},
        .green = {bytes_8(t, 34), bytes_8(t, 35)},
        .blue = {bytes_8(t, 36), bytes_8(t, 37)},
    };
    return 0;
}

/* Of an old and a new root pointer the new one, which is longer, counts. */
static int take_rsdp(struct bytes t, struct boot_info *out)
{
    if (t.size - TAG_HEAD > out->rsdp.size)
        out->rsdp = bytes_part(t, TAG_HEAD, t.size);
    return 0;
}

static int take_efi32(struct bytes t, struct boot_info *out)
{
    (void)t;
    out->is_efi = true;
    return 0;
}

static int take_efi64(struct bytes t, struct boot_info *out)
{
    out->is_efi = true;
    out->efi_system_table = bytes_64(t, 8);
    return 0;
}

static int take_efi_map(struct bytes t, struct boot_info *out)
{
    out->is_efi = true;
    out->efi_map = t;
    return 0;
}

static const struct {
    enum tag_type type;
    uint32_t min_size;
    int (*take)(struct bytes t, struct boot_info *out);
} takers[] = {
    {TAG_COMMAND_LINE, 8, take_command_line},
    {TAG_MODULE, 16, take_module},
    {TAG_BASIC_MEMORY, 16, take_basic_memory},
    {TAG_MEMORY_MAP, 16, take_memory_map},
    {TAG_FRAMEBUFFER, 30, take_framebuffer},
    {TAG_EFI32, 8, take_efi32},
    {TAG_EFI64, 16, take_efi64},
    {TAG_RSDP_OLD, 28, take_rsdp},
    {TAG_RSDP_NEW, 28, take_rsdp},
    {TAG_EFI_MAP, 16, take_efi_map},
};

static int take_tag(uint32_t type, struct bytes t, struct boot_info *out)
{
    for (size_t i = 0; i < ARRAY_LEN(takers); i++)
        if (takers[i].type == type && t.size >= takers[i].min_size)
            return takers[i].take(t, out);
    return 0;
}

static int take_tags(struct bytes block, struct boot_info *out)
{
    for (size_t at = MULTIBOOT2_HEAD; at + TAG_HEAD <= block.size;) {
        uint32_t type = bytes_32(block, at);
        uint32_t size = bytes_32(block, at + 4);
        int error;

        if (type == TAG_END)
            return 0;
        if (size < TAG_HEAD || size > block.size - at)
            return -EINVAL;
        error = take_tag(type, bytes_part(block, at, size), out);
        if (error)
            return error;
        at += align_up(size, TAG_ALIGNMENT);
    }
    return 0;
}

/* For loaders that give the EFI map only, or but the sizes in KiB. */
static int take_other_map(struct boot_info *out)
{
    uint32_t low = bytes_32(out->basic_memory, 8);
    uint32_t high = bytes_32(out->basic_memory, 12);
    int error =
        add_ranges(out, out->efi_map, EFI_DESCRIPTOR_MIN, add_efi_range);

    if (error || out->map.count)
        return error;
    error = add_range(out, 0, min_u64(low, 640) << 10, MEMORY_RAM);
    if (error)
        return error;
    return add_range(out, 1u << 20, (uint64_t)high << 10, MEMORY_RAM);
}

/* The size in bytes of the block whose first MULTIBOOT2_HEAD bytes these are */
uint32_t multiboot2_size(const void *block)
{
    return bytes_32((struct bytes){block, MULTIBOOT2_HEAD}, 0);
}

/*
 * Fills *out from the block, of which `size` bytes may be read. -EINVAL for a
 * block that does not hang together, -E2BIG for more modules than Mica can
 * take, -ENOSPC for a memory map that is too long, -ENODATA without any.
 */
int multiboot2_parse(const void *block, size_t size, struct boot_info *out)
{
    struct bytes b = {block, size};
    uint32_t total = bytes_32(b, 0);
    int error;

    memset(out, 0, sizeof(*out));
    out->command_line = "";
    if (total < MULTIBOOT2_HEAD || total > size)
        return -EINVAL;
    error = take_tags(bytes_part(b, 0, total), out);
    if (!error && !out->map.count)
        error = take_other_map(out);
    if (error)
        return error;
    return out->map.count ? 0 : -ENODATA;
}
