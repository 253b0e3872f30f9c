/* SPDX-License-Identifier: MIT */
/*
 * The block is a sequence of tags, each with a type and a size, on 8-byte
 * boundaries. What a tag is too short for reads as zero (bytes.h).
 */
#include "x86/multiboot2.h"

#define TAG_ALIGNMENT 8u
#define TAG_HEAD 8u

enum tag_type {
    TAG_END = 0,
    TAG_COMMAND_LINE = 1,
    TAG_MODULE = 3,
    TAG_MEMORY_MAP = 6,
    TAG_FRAMEBUFFER = 8,
    TAG_EFI64 = 12,
    TAG_RSDP_OLD = 14,
    TAG_RSDP_NEW = 15,
};

#define MAP_ENTRIES 16u
#define MAP_ENTRY_MIN 20u
#define FRAMEBUFFER_RGB 1u
#define LFB_UNIT 65536u

static const char damaged[] = "The loader's information is damaged. Use GRUB "
                              "2's multiboot2 command.";
static const char map_too_long[] =
    "The firmware's map of memory has too many parts. Boot without UEFI, or "
    "update the firmware.";
static const char no_map[] = "The loader gives no map of memory. Use GRUB 2's "
                             "multiboot2 command.";

/* The string from `offset` on if it ends inside the tag, else an empty one. */
static const char *get_string(struct bytes t, uint32_t offset)
{
    struct bytes text = bytes_part(t, offset, t.size);

    return text.size && memchr(text.at, 0, text.size) ? (const char *)text.at
                                                      : "";
}

/* A range that wraps round the end of the address space means nothing. */
static const char *take_memory_map(struct bytes t, struct boot_info *out)
{
    uint32_t step = bytes_32(t, 8);

    if (step < MAP_ENTRY_MIN)
        return NULL;
    for (size_t at = MAP_ENTRIES; at + step <= t.size; at += step)
        if (memory_map_add(&out->map, bytes_64(t, at), bytes_64(t, at + 8),
                           bytes_32(t, at + 16)) == -ENOSPC)
            return map_too_long;
    return NULL;
}

static void take_framebuffer(struct bytes t, struct boot_info *out)
{
    uint32_t pitch = bytes_32(t, 16), height = bytes_32(t, 24);
    uint64_t size = (uint64_t)pitch * height;

    if (bytes_8(t, 29) != FRAMEBUFFER_RGB)
        return;
    out->screen.video_type = XEN_VGATYPE_VESA_LFB;
    out->screen.u.vesa_lfb = (struct dom0_vga_vesa_lfb){
        .width = bytes_16(t, 20),
        .height = (uint16_t)height,
        .bytes_per_line = (uint16_t)pitch,
        .bits_per_pixel = bytes_8(t, 28),
        .lfb_base = bytes_32(t, 8),
        .ext_lfb_base = bytes_32(t, 12),
        .lfb_size = (uint32_t)((size + LFB_UNIT - 1) / LFB_UNIT),
        .red_pos = bytes_8(t, 32),
        .red_size = bytes_8(t, 33),
        .green_pos = bytes_8(t, 34),
        .green_size = bytes_8(t, 35),
        .blue_pos = bytes_8(t, 36),
        .blue_size = bytes_8(t, 37),
    };
}

/* NULL, or what is wrong. */
static const char *take_tag(uint32_t type, struct bytes t,
                            struct boot_info *out)
{
    uint32_t start;

    switch (type) {
    case TAG_COMMAND_LINE:
        out->command_line = get_string(t, TAG_HEAD);
        return NULL;
    /*
     * Modules count by their order, so one that cannot be keeps its place as
     * an empty one. More than Mica knows a use for are left alone.
     */
    case TAG_MODULE:
        start = bytes_32(t, 8);
        if (out->module_count == BOOT_KERNEL)
            out->kernel_command_line = get_string(t, 16);
        if (out->module_count < BOOT_MODULES)
            out->modules[out->module_count++] =
                (struct memory_range){start, max_u64(start, bytes_32(t, 12))};
        return NULL;
    case TAG_MEMORY_MAP:
        return take_memory_map(t, out);
    case TAG_FRAMEBUFFER:
        take_framebuffer(t, out);
        return NULL;
    case TAG_EFI64:
        out->efi_system_table = bytes_64(t, 8);
        return NULL;
    case TAG_RSDP_OLD:
    case TAG_RSDP_NEW: /* is longer, and counts where there are both */
        if (t.size - TAG_HEAD > out->rsdp.size)
            out->rsdp = bytes_part(t, TAG_HEAD, t.size);
    }
    return NULL;
}

/* The size in bytes of the block whose first MULTIBOOT2_HEAD bytes these are */
uint32_t multiboot2_size(const void *block)
{
    return bytes_32((struct bytes){block, MULTIBOOT2_HEAD}, 0);
}

/*
 * Fills *out from the block, of which `size` bytes may be read. NULL, or what
 * is wrong and what a person can do about it.
 */
const char *multiboot2_parse(const void *block, size_t size,
                             struct boot_info *out)
{
    struct bytes b = {block, size};
    size_t total = bytes_32(b, 0), tag_size;
    const char *error = NULL;

    memset(out, 0, sizeof(*out));
    out->command_line = out->kernel_command_line = "";
    out->screen.video_type = XEN_VGATYPE_TEXT_MODE_3;
    out->screen.u.text_mode_3 = (struct dom0_vga_text_mode_3){
        .font_height = 16, .rows = 25, .columns = 80};
    if (total < MULTIBOOT2_HEAD || total > size)
        return damaged;
    for (size_t at = MULTIBOOT2_HEAD; !error && at + TAG_HEAD <= total;
         at += align_up(tag_size, TAG_ALIGNMENT)) {
        uint32_t type = bytes_32(b, at);

        tag_size = bytes_32(b, at + 4);
        if (type == TAG_END)
            break;
        if (tag_size < TAG_HEAD || tag_size > total - at)
            return damaged;
        error = take_tag(type, bytes_part(b, at, tag_size), out);
    }
    if (out->efi_system_table && out->screen.video_type == XEN_VGATYPE_VESA_LFB)
        out->screen.video_type = XEN_VGATYPE_EFI_LFB;
    return error || out->map.count ? error : no_map;
}
