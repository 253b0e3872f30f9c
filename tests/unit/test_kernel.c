/* SPDX-License-Identifier: MIT */
/* Kernels in ELF files made here, good and hostile: segments, notes, place. */
#include <check.h>
#include <stdlib.h>

#include "core/kernel.h"
#include "hypercall_abi/version.h"

#define BASE 0xffffffff80000000

enum {
    PHOFF = 64,
    NOTES_AT = 512,
    IMAGE_SIZE = 8192,
};

struct phdr {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

struct image {
    uint8_t bytes[IMAGE_SIZE];
    size_t notes_size;
};

static const char *why;

static void put16(struct image *im, size_t at, uint16_t value)
{
    memcpy(im->bytes + at, &value, sizeof(value));
}

static void put32(struct image *im, size_t at, uint32_t value)
{
    memcpy(im->bytes + at, &value, sizeof(value));
}

static void put64(struct image *im, size_t at, uint64_t value)
{
    memcpy(im->bytes + at, &value, sizeof(value));
}

static void put_phdr(struct image *im, unsigned int index, struct phdr p)
{
    memcpy(im->bytes + PHOFF + index * sizeof(p), &p, sizeof(p));
}

static void put_note_of(struct image *im, const char *owner, uint32_t type,
                        const void *value, uint32_t size)
{
    size_t at = NOTES_AT + im->notes_size;

    put32(im, at, 4);
    put32(im, at + 4, size);
    put32(im, at + 8, type);
    memcpy(im->bytes + at + 12, owner, 4);
    memcpy(im->bytes + at + 16, value, size);
    im->notes_size += 16 + ((size + 3u) & ~3u);
    put_phdr(
        im, 1,
        (struct phdr){.type = 4, .offset = NOTES_AT, .filesz = im->notes_size});
}

static void put_note(struct image *im, uint32_t type, const void *value,
                     uint32_t size)
{
    put_note_of(im, "Xen", type, value, size);
}

static void put_text(struct image *im, uint32_t type, const char *text)
{
    put_note(im, type, text, (uint32_t)strlen(text) + 1);
}

static void put_number(struct image *im, uint32_t type, uint64_t value)
{
    put_note(im, type, &value, 8);
}

/* One loadable segment of a page at 16 MiB and an empty notes segment. */
static struct image make_bare(void)
{
    struct image im = {0};

    memcpy(im.bytes, "\177ELF\2\1\1", 7);
    put16(&im, 16, 2);
    put16(&im, 18, 62);
    put64(&im, 24, 0x1000000);
    put64(&im, 32, PHOFF);
    put16(&im, 54, 56);
    put16(&im, 56, 2);
    put_phdr(&im, 0,
             (struct phdr){.type = 1,
                           .flags = 7,
                           .offset = 1024,
                           .vaddr = 0xffffffff81000000,
                           .paddr = 0x1000000,
                           .filesz = 1024,
                           .memsz = 4096});
    put_phdr(&im, 1, (struct phdr){.type = 4, .offset = NOTES_AT});
    return im;
}

/* The same with what every paravirtual kernel k. */
static struct image make_image(void)
{
    struct image im = make_bare();

    put_text(&im, 6, "linux");
    put_text(&im, 5, "xen-3.0");
    put_text(&im, 8, "generic");
    put_number(&im, 1, 0xffffffff81000010);
    put_number(&im, 3, 0xffffffff80000000);
    return im;
}

static bool open_size(const struct image *im, size_t size)
{
    struct kernel k;
    uint8_t *exact = malloc(size ? size : 1);

    memcpy(exact, im->bytes, size);
    why = kernel_open(&k, exact, size);
    free(exact);
    return !why;
}

static bool open_image(const struct image *im, struct kernel *k)
{
    why = kernel_open(k, im->bytes, sizeof(im->bytes));
    return !why;
}

static void assert_refused(const struct image *im, const char *words)
{
    ck_assert(!open_size(im, sizeof(im->bytes)));
    ck_assert_msg(strstr(why, words), "\"%s\" lacks \"%s\"", why, words);
}

START_TEST(test_kernel_open_of_good_image_succeeds)
{
    struct image im = make_image();
    struct kernel k;
    struct kernel_segment s;
    unsigned index = 0;

    ck_assert(open_image(&im, &k));
    ck_assert_uint_eq(k.start, 0x1000000);
    ck_assert_uint_eq(k.end, 0x1001000);
    ck_assert(kernel_next_segment(&k, &index, &s));
    ck_assert_uint_eq(s.at, 0x1000000);
    ck_assert_ptr_eq(s.data, im.bytes + 1024);
    ck_assert_uint_eq(s.size, 1024);
    ck_assert(!kernel_next_segment(&k, &index, &s));
}
END_TEST

START_TEST(test_kernel_open_of_every_truncation_is_refused)
{
    struct image im = make_image();
    size_t size;

    for (size = 0; size < 2048; size++)
        ck_assert(!open_size(&im, size));
    ck_assert(open_size(&im, 2048));
}
END_TEST

static const struct {
    size_t at;
    uint64_t value;
    unsigned int width;
    const char *words;
} bad_headers[] = {
    {0, 0x464c457e, 4, "not an ELF"},
    {4, 1, 1, "another processor"},
    {18, 183, 2, "another processor"},
    {16, 3, 2, "not an executable"},
    {16, 1, 2, "not an executable"},
    {16, 4, 2, "not an executable"},
    {54, 0, 2, "unknown kind"},
    {54, 0xffff, 2, "unknown kind"},
    {56, 0, 2, "nothing to load"},
    {56, 65, 2, "unknown kind"},
    {56, 0xffff, 2, "unknown kind"},
    {32, UINT64_MAX, 8, "cut short"},
    {32, UINT64_MAX - 111, 8, "cut short"},
    {32, IMAGE_SIZE - 111, 8, "cut short"},
};

START_TEST(test_kernel_open_of_bad_header_is_refused)
{
    struct image im = make_image();

    memcpy(im.bytes + bad_headers[_i].at, &bad_headers[_i].value,
           bad_headers[_i].width);
    assert_refused(&im, bad_headers[_i].words);
}
END_TEST

static const struct {
    struct phdr p;
    const char *words;
} bad_segments[] = {
    {{.type = 1, .offset = UINT64_MAX, .filesz = 2, .memsz = 2}, "cut short"},
    {{.type = 1, .offset = 1, .filesz = UINT64_MAX, .memsz = UINT64_MAX},
     "cut short"},
    {{.type = 1, .offset = IMAGE_SIZE, .filesz = 1, .memsz = 1}, "cut short"},
    {{.type = 1, .filesz = 2, .memsz = 1}, "larger in the file"},
    {{.type = 1, .paddr = UINT64_MAX, .memsz = 2}, "end of the address"},
    {{.type = 1, .paddr = UINT64_MAX - 3, .memsz = 4}, "end of the address"},
    {{.type = 1, .paddr = 1, .memsz = UINT64_MAX}, "end of the address"},
    {{.type = 4, .offset = UINT64_MAX - 7, .filesz = 8}, "cut short"},
    {{.type = 4, .offset = 8, .filesz = UINT64_MAX}, "cut short"},
};

START_TEST(test_kernel_open_of_bad_segment_is_refused)
{
    struct image im = make_image();

    put_phdr(&im, 1, bad_segments[_i].p);
    assert_refused(&im, bad_segments[_i].words);
}
END_TEST

START_TEST(test_kernel_open_ignores_other_segments_numbers)
{
    struct image im = make_image();

    put16(&im, 56, 3);
    put_phdr(&im, 2,
             (struct phdr){.type = 0x6474e551,
                           .offset = UINT64_MAX,
                           .filesz = UINT64_MAX,
                           .paddr = UINT64_MAX,
                           .memsz = UINT64_MAX});
    ck_assert(open_size(&im, sizeof(im.bytes)));
}
END_TEST

START_TEST(test_kernel_open_without_loadable_segment_is_refused)
{
    struct image im = make_image();

    put_phdr(&im, 0, (struct phdr){.type = 1});
    assert_refused(&im, "nothing to load");
}
END_TEST

START_TEST(test_kernel_open_with_64_headers_at_the_end_succeeds)
{
    struct image im = make_image();
    size_t at = IMAGE_SIZE - 64 * sizeof(struct phdr);

    memmove(im.bytes + at, im.bytes + PHOFF, 2 * sizeof(struct phdr));
    put64(&im, 32, at);
    put16(&im, 56, 64);
    ck_assert(open_size(&im, sizeof(im.bytes)));
    put64(&im, 32, at + 1);
    assert_refused(&im, "cut short");
}
END_TEST

START_TEST(test_kernel_note_with_wrapping_size_is_refused)
{
    static const uint32_t sizes[] = {UINT32_MAX, UINT32_MAX - 3,
                                     UINT32_MAX - 11, 0x80000000, 13};
    struct image im = make_image();
    size_t i, field;

    for (i = 0; i < ARRAY_LEN(sizes); i++) {
        for (field = 0; field < 8; field += 4) {
            struct image bad = im;

            put32(&bad, NOTES_AT + im.notes_size - 24 + field, sizes[i]);
            assert_refused(&bad, "longer than");
        }
    }
}
END_TEST

START_TEST(test_kernel_note_skips_foreign_and_zero_notes)
{
    struct image im = make_bare();
    struct kernel k;

    put_note_of(&im, "GNU", 1, "12345678", 8);
    put_note_of(&im, "XenX", 1, "12345678", 8);
    put_note(&im, 4711, "", 0);
    put_note(&im, 1, "\x10\0\0\1", 4);
    ck_assert(open_image(&im, &k));
    ck_assert_uint_eq(k.entry, 0x1000010);
}
END_TEST

START_TEST(test_kernel_notes_of_linux_are_all_read)
{
    struct image im = make_image();
    static const char features[] = "!writable_page_tables|pae_pgdir_above_4gb";
    struct kernel k;

    put_number(&im, 4, 0);
    put_number(&im, 15, 0x8000000000);
    put_note(&im, 10, features, sizeof(features) - 1);
    put_note(&im, 17, "\x01\x88\0", 4);
    put_text(&im, 9, "yes");
    put_note(&im, 16, "\1\0\0", 4);
    put_number(&im, 12, 0xffff800000000000);
    put_number(&im, 18, 0x1000850);
    ck_assert(open_image(&im, &k));
    ck_assert_uint_eq(k.entry, BASE + 0x1000010);
    ck_assert_uint_eq(k.virt_base, BASE);
    ck_assert_uint_eq(k.init_p2m, 0x8000000000);
    ck_assert_uint_eq(k.features, 0x8801);
    ck_assert(k.mod_start_is_pfn);
    ck_assert(!k.hypercall_page);
    ck_assert_str_eq(k.guest_os, "linux");
    ck_assert(kernel_shares_lower_half(&k));
    ck_assert((k.features >> XENFEAT_dom0 & 1));
}
END_TEST

START_TEST(test_kernel_notes_without_dom0_bit_are_no_dom0)
{
    struct image im = make_image();
    struct kernel k;

    ck_assert(open_image(&im, &k));
    ck_assert((k.features >> XENFEAT_dom0 & 1));
    put_note(&im, 17, "\x01\x80\0", 4);
    ck_assert(open_image(&im, &k));
    ck_assert(!(k.features >> XENFEAT_dom0 & 1));
}
END_TEST

START_TEST(test_kernel_notes_entry_falls_back_to_the_elf_entry)
{
    struct image im = make_bare();
    struct kernel k;

    put_text(&im, 6, "linux");
    ck_assert(open_image(&im, &k));
    ck_assert_uint_eq(k.entry, 0x1000000);
}
END_TEST

START_TEST(test_kernel_notes_that_are_missing_are_refused)
{
    struct image im = make_bare();

    assert_refused(&im, "no Xen notes");
    put_number(&im, 18, 0x1000850);
    assert_refused(&im, "PVH guest only");
}
END_TEST

START_TEST(test_kernel_notes_with_odd_number_are_refused)
{
    static const uint32_t sizes[] = {0, 1, 2, 3, 5, 7, 9, 16};
    size_t i;

    for (i = 0; i < ARRAY_LEN(sizes); i++) {
        struct image im = make_image();

        put_note(&im, 1, "0123456789abcdef", sizes[i]);
        assert_refused(&im, "neither 4");
    }
}
END_TEST

START_TEST(test_kernel_notes_strings_are_bounded_and_printable)
{
    struct image im = make_image();
    struct kernel k;

    put_note(&im, 6, "linux\033[2J\377", 10);
    ck_assert(open_image(&im, &k));
    ck_assert_str_eq(k.guest_os, "linux?[2J?");
    put_note(&im, 6, "01234567890123456789012345678901", 32);
    ck_assert(open_image(&im, &k));
    ck_assert_str_eq(k.guest_os, "0123456789012345678901234567890");
    put_note(&im, 6, "", 0);
    ck_assert(open_image(&im, &k));
    ck_assert_str_eq(k.guest_os, "");
}
END_TEST

/* --- its place ----------------------------------------------------------- */

/* A kernel at `paddr`, with 1024 bytes in the file and the rest zero. */
static struct image make_placed(uint64_t paddr, uint64_t size)
{
    struct image im = make_image();

    put_phdr(&im, 0,
             (struct phdr){.type = 1,
                           .offset = 1024,
                           .paddr = paddr,
                           .filesz = 1024,
                           .memsz = size});
    return im;
}

START_TEST(test_kernel_place_of_grub_is_low)
{
    struct image im = make_placed(0, 0x466af8);
    struct kernel k;

    put_text(&im, 6, "GRUB");
    put_number(&im, 1, 0);
    put_number(&im, 3, 0);
    ck_assert(open_image(&im, &k));
    ck_assert_uint_eq(k.start, 0);
    ck_assert_uint_eq(k.end, 0x466af8);
    put_text(&im, 6, "linux");
    ck_assert(open_image(&im, &k));
    ck_assert(!kernel_shares_lower_half(&k));
}
END_TEST

START_TEST(test_kernel_place_with_physical_equal_virtual_subtracts_offset)
{
    struct image im = make_placed(BASE + 0x200123, 0x100000);
    struct kernel_segment s;
    unsigned index = 0;
    struct kernel k;

    put_number(&im, 1, BASE + 0x200200);
    put_number(&im, 4, BASE);
    ck_assert(open_image(&im, &k));
    ck_assert_uint_eq(k.start, 0x200123);
    ck_assert_uint_eq(k.end, 0x300123);
    ck_assert(kernel_next_segment(&k, &index, &s));
    ck_assert_uint_eq(s.at, 0x200123);
    put_number(&im, 4, BASE + 0x200124);
    assert_refused(&im, "PADDR_OFFSET");
}
END_TEST

static void put_base(struct image *im, uint64_t base)
{
    put_number(im, 1, base + 0x1000000);
    put_number(im, 3, base);
}

START_TEST(test_kernel_place_outside_the_guests_range_is_refused)
{
    static const uint64_t bad[] = {0x7fffc0001000, 0xffff800000000000,
                                   0xffff87ffc0000000, 0xffffffffc0000000,
                                   0xfffffffffffff000};
    struct image im = make_placed(0x1000000, 0x3f000000);
    struct kernel k;

    put_base(&im, 0x7fffc0000000);
    ck_assert(open_image(&im, &k));
    put_base(&im, 0xffff880000000000);
    ck_assert(open_image(&im, &k));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        im = make_placed(0x1000000, 0x3f000000);
        put_base(&im, bad[i]);
        assert_refused(&im, "can't use");
    }
}
END_TEST

START_TEST(test_kernel_place_with_bad_addresses_is_refused)
{
    struct image im = make_placed(0x1000000, 0x3f000001);

    assert_refused(&im, "more than 1 GiB");
    im = make_placed(0x1000000, UINT64_MAX - 0x1000000);
    assert_refused(&im, "more than 1 GiB");
    im = make_image();
    put_number(&im, 1, BASE + 0xffffff);
    assert_refused(&im, "entry point");
    put_number(&im, 1, BASE + 0x1001000);
    assert_refused(&im, "entry point");
    im = make_image();
    put_number(&im, 3, BASE + 1);
    assert_refused(&im, "page aligned");
    im = make_image();
    put_number(&im, 2, BASE + 0x1001000);
    assert_refused(&im, "hypercall page");
    put_number(&im, 2, BASE + 0x1000800);
    assert_refused(&im, "hypercall page");
}
END_TEST

START_TEST(test_kernel_place_with_bad_p2m_is_refused)
{
    static const struct {
        uint64_t address;
        const char *words;
    } bad[] = {
        {0x8000000001, "a guest can use"},
        {0x800000000000, "a guest can use"},
        {0xffff800000000000, "a guest can use"},
        {0xffff87fffffff000, "a guest can use"},
        {0xffffffff80000000, "kernel's own mapping"},
        {0xffffffffbffff000, "kernel's own mapping"},
    };
    struct image im = make_image();
    struct kernel k;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        put_number(&im, 15, bad[i].address);
        assert_refused(&im, bad[i].words);
    }
    put_number(&im, 15, 0xffffffffc0000000);
    ck_assert(open_image(&im, &k));
}
END_TEST

static TCase *make_elf_case(void)
{
    TCase *tc = tcase_create("elf");

    tcase_add_test(tc, test_kernel_open_of_good_image_succeeds);
    tcase_add_test(tc, test_kernel_open_of_every_truncation_is_refused);
    tcase_add_loop_test(tc, test_kernel_open_of_bad_header_is_refused, 0,
                        ARRAY_LEN(bad_headers));
    tcase_add_loop_test(tc, test_kernel_open_of_bad_segment_is_refused, 0,
                        ARRAY_LEN(bad_segments));
    tcase_add_test(tc, test_kernel_open_ignores_other_segments_numbers);
    tcase_add_test(tc, test_kernel_open_without_loadable_segment_is_refused);
    tcase_add_test(tc, test_kernel_open_with_64_headers_at_the_end_succeeds);
    return tc;
}

static TCase *make_notes_case(void)
{
    TCase *tc = tcase_create("notes");

    tcase_add_test(tc, test_kernel_note_with_wrapping_size_is_refused);
    tcase_add_test(tc, test_kernel_note_skips_foreign_and_zero_notes);
    tcase_add_test(tc, test_kernel_notes_of_linux_are_all_read);
    tcase_add_test(tc, test_kernel_notes_without_dom0_bit_are_no_dom0);
    tcase_add_test(tc, test_kernel_notes_entry_falls_back_to_the_elf_entry);
    tcase_add_test(tc, test_kernel_notes_that_are_missing_are_refused);
    tcase_add_test(tc, test_kernel_notes_with_odd_number_are_refused);
    tcase_add_test(tc, test_kernel_notes_strings_are_bounded_and_printable);
    return tc;
}

static TCase *make_place_case(void)
{
    TCase *tc = tcase_create("place");

    tcase_add_test(tc, test_kernel_place_of_grub_is_low);
    tcase_add_test(
        tc, test_kernel_place_with_physical_equal_virtual_subtracts_offset);
    tcase_add_test(tc, test_kernel_place_outside_the_guests_range_is_refused);
    tcase_add_test(tc, test_kernel_place_with_bad_addresses_is_refused);
    tcase_add_test(tc, test_kernel_place_with_bad_p2m_is_refused);
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("kernel");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, make_elf_case());
    suite_add_tcase(suite, make_notes_case());
    suite_add_tcase(suite, make_place_case());
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
