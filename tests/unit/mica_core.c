/* SPDX-License-Identifier: MIT */
/* Core dumps of domains, read back as crash(8) and gdb(1) would. */
#include "mica_suites.h"

#include <check.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dom0_tools/mica/core.h"
#include "hypercall_abi/shared_info.h"
#include "hypercall_abi/vcpu.h"
#include "mica_fake.h"

enum {
    SHARED = 1,
    TOP,
    MIDDLE,
    LEAF,
    FIRST_PAGE,
    SECOND_PAGE,
    L4,
    L3,
    L2,
    L1,
    FILE_SIZE = 1 << 20
};

#define KERNEL 0xffffffff81000000ull /* entries 511, 510 and 8 */
#define PRESENT 1ull

static struct call call;
static struct error error;
static char path[] = "/tmp/mica_core_XXXXXX";
static uint8_t *bytes;
static size_t size;

static void setup(void)
{
    struct shared_info *shared = (void *)fake.memory[SHARED];
    struct fake_domain *d;

    fake_reset();
    fake.has_contexts = true;
    d = fake_add(3, "web");
    d->info.shared_info_frame = SHARED;
    d->info.pages = 4;
    shared->arch.max_pfn = 600;
    shared->arch.pfn_to_mfn_frame_list_list = TOP;
    fake.memory[TOP][0] = MIDDLE;
    fake.memory[MIDDLE][0] = LEAF;
    fake.memory[LEAF][0] = FIRST_PAGE;
    fake.memory[LEAF][1] = ~0ull;
    fake.memory[LEAF][2] = 99; /* another domain's */
    fake.memory[LEAF][3] = FIRST_PAGE + 1;
    memset(fake.memory[FIRST_PAGE], 0xaa, CONTROL_PAGE_SIZE);
    memset(fake.memory[FIRST_PAGE + 1], 0xbb, CONTROL_PAGE_SIZE);
    close(mkstemp(path));
    unlink(path);
    bytes = calloc(1, FILE_SIZE);
}

static void teardown(void)
{
    unlink(path);
    free(bytes);
}

static int dump(void)
{
    FILE *file;
    int result = core_dump(&call, 3, path, &error);

    if (result)
        return result;
    file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    size = fread(bytes, 1, FILE_SIZE, file);
    fclose(file);
    return 0;
}

static const Elf64_Shdr *find_section(const char *name)
{
    const Elf64_Ehdr *head = (const void *)bytes;
    const Elf64_Shdr *sections = (const void *)(bytes + head->e_shoff);
    const char *names =
        (const char *)bytes + sections[head->e_shstrndx].sh_offset;
    unsigned i;

    for (i = 1; i < head->e_shnum; i++) {
        ck_assert_uint_le(sections[i].sh_offset + sections[i].sh_size, size);
        if (!strcmp(names + sections[i].sh_name, name))
            return &sections[i];
    }
    ck_abort_msg("no section %s", name);
    return NULL;
}

START_TEST(test_mica_core_has_pages_and_their_numbers)
{
    const Elf64_Shdr *p2m, *pages;
    const uint64_t *numbers;

    ck_assert_int_eq(dump(), 0);
    p2m = find_section(".xen_p2m");
    pages = find_section(".xen_pages");
    numbers = (const void *)(bytes + p2m->sh_offset);
    ck_assert_uint_eq(p2m->sh_size, 3 * 16);
    ck_assert_uint_eq(numbers[0], 0);
    ck_assert_uint_eq(numbers[1], FIRST_PAGE);
    ck_assert_uint_eq(numbers[2], 2);
    ck_assert_uint_eq(numbers[4], 3);
    ck_assert_uint_eq(numbers[5], FIRST_PAGE + 1);
    ck_assert_uint_eq(pages->sh_size, 3 * CONTROL_PAGE_SIZE);
    ck_assert_uint_eq(pages->sh_offset % CONTROL_PAGE_SIZE, 0);
    ck_assert_uint_eq(bytes[pages->sh_offset], 0xaa);
    ck_assert_uint_eq(bytes[pages->sh_offset + CONTROL_PAGE_SIZE], 0);
    ck_assert_uint_eq(bytes[pages->sh_offset + 2 * CONTROL_PAGE_SIZE], 0xbb);
}
END_TEST

START_TEST(test_mica_core_has_the_notes_of_xen)
{
    const Elf64_Shdr *notes;
    const uint64_t *header;
    const Elf64_Nhdr *note;

    ck_assert_int_eq(dump(), 0);
    notes = find_section(".note.Xen");
    note = (const void *)(bytes + notes->sh_offset);
    ck_assert_uint_eq(note->n_type, 0x2000000);
    note = (const void *)(bytes + notes->sh_offset + 16);
    ck_assert_uint_eq(note->n_type, 0x2000001);
    ck_assert_uint_eq(note->n_descsz, 32);
    ck_assert_str_eq((const char *)(note + 1), "Xen");
    header = (const void *)(bytes + notes->sh_offset + 32);
    ck_assert_uint_eq(header[0], 0xf00febed);
    ck_assert_uint_eq(header[1], 2);
    ck_assert_uint_eq(header[2], 3);
    ck_assert_uint_eq(header[3], 4096);
    ck_assert_uint_eq(notes->sh_size, 16 + 48 + 16 + 1280 + 24);
}
END_TEST

START_TEST(test_mica_core_has_registers_and_shared_info)
{
    const Elf64_Shdr *contexts, *shared;

    ck_assert_int_eq(dump(), 0);
    contexts = find_section(".xen_prstatus");
    shared = find_section(".xen_shared_info");
    ck_assert_uint_eq(contexts->sh_entsize, 5168);
    ck_assert_uint_eq(contexts->sh_size, 2 * 5168);
    ck_assert_uint_eq(bytes[contexts->sh_offset + 5168], 2);
    ck_assert_int_eq(memcmp(bytes + shared->sh_offset, fake.memory[SHARED],
                            CONTROL_PAGE_SIZE),
                     0);
}
END_TEST

/* Page tables, pages 4 to 7 of the guest. */
static void map_kernel(void)
{
    unsigned i;

    fake.root = L4;
    fake.domains[3].info.pages = 8;
    for (i = 0; i < 4; i++)
        fake.memory[LEAF][4 + i] = L4 + i;
    fake.memory[L4][511] = (uint64_t)L3 << 12 | PRESENT;
    fake.memory[L3][510] = (uint64_t)L2 << 12 | PRESENT;
    fake.memory[L2][8] = (uint64_t)L1 << 12 | PRESENT;
    fake.memory[L1][0] = (uint64_t)FIRST_PAGE << 12 | PRESENT;
    fake.memory[L1][1] = (uint64_t)SECOND_PAGE << 12 | PRESENT;
    fake.memory[L1][2] = (uint64_t)L4 << 12 | PRESENT;
    fake.memory[L1][3] = (uint64_t)L3 << 12;
    fake.memory[L1][4] = (uint64_t)SHARED << 12 | PRESENT;
}

static const Elf64_Phdr *segments(void)
{
    const Elf64_Ehdr *head = (const void *)bytes;

    ck_assert_uint_le(head->e_phoff + head->e_phnum * sizeof(Elf64_Phdr), size);
    return (const void *)(bytes + head->e_phoff);
}

static unsigned count_segments(void)
{
    return ((const Elf64_Ehdr *)(const void *)bytes)->e_phnum;
}

static void expect_segment(const Elf64_Phdr *s, uint64_t address, uint64_t pfn,
                           uint64_t place, uint64_t pages)
{
    ck_assert_uint_eq(s->p_type, PT_LOAD);
    ck_assert_uint_eq(s->p_vaddr, address);
    ck_assert_uint_eq(s->p_paddr, pfn * CONTROL_PAGE_SIZE);
    ck_assert_uint_eq(s->p_offset, find_section(".xen_pages")->sh_offset +
                                       place * CONTROL_PAGE_SIZE);
    ck_assert_uint_eq(s->p_filesz, pages * CONTROL_PAGE_SIZE);
    ck_assert_uint_eq(s->p_memsz, pages * CONTROL_PAGE_SIZE);
}

START_TEST(test_mica_core_has_memory_at_its_addresses)
{
    map_kernel();
    ck_assert_int_eq(dump(), 0);
    ck_assert_uint_eq(count_segments(), 3);
    expect_segment(segments() + 1, KERNEL, 0, 0, 1);
    expect_segment(segments() + 2, KERNEL + CONTROL_PAGE_SIZE, 3, 2, 2);
}
END_TEST

START_TEST(test_mica_core_has_the_kernels_half_first)
{
    map_kernel();
    fake.memory[L4][0] = fake.memory[L4][511];
    ck_assert_int_eq(dump(), 0);
    ck_assert_uint_eq(count_segments(), 5);
    expect_segment(segments() + 1, KERNEL, 0, 0, 1);
    expect_segment(segments() + 3, KERNEL & 0x7fffffffffull, 0, 0, 1);
}
END_TEST

/* crash(8) takes a file whose segments come first for another kind. */
START_TEST(test_mica_core_has_its_segments_behind_its_sections)
{
    ck_assert_int_eq(dump(), 0);
    ck_assert_uint_gt(((const Elf64_Ehdr *)(const void *)bytes)->e_phoff, 1024);
}
END_TEST

START_TEST(test_mica_core_has_each_vcpu_as_a_thread)
{
    const Elf64_Phdr *s;
    const uint8_t *at;
    const Elf64_Nhdr *note;
    uint64_t rip;
    int number;

    ck_assert_int_eq(dump(), 0);
    s = segments();
    ck_assert_uint_eq(s->p_type, PT_NOTE);
    ck_assert_uint_eq(s->p_filesz, 2 * (20 + 336 + 20 + 512));
    at = bytes + s->p_offset + s->p_filesz / 2;
    note = (const void *)at;
    ck_assert_uint_eq(note->n_type, NT_PRSTATUS);
    ck_assert_uint_eq(note->n_descsz, 336);
    ck_assert_str_eq((const char *)(note + 1), "CORE");
    memcpy(&number, at + 20 + 32, sizeof(number));
    ck_assert_int_eq(number, 2);
    memcpy(&rip, at + 20 + 112 + 16 * sizeof(rip), sizeof(rip));
    ck_assert_uint_eq(rip, 0x0202020202020202);
    note = (const void *)(at + 20 + 336);
    ck_assert_uint_eq(note->n_type, NT_FPREGSET);
    ck_assert_uint_eq(note->n_descsz, 512);
}
END_TEST

/* Tables that refer to each other everywhere end as well. */
START_TEST(test_mica_core_of_tangled_tables_is_bounded)
{
    unsigned i, level;

    map_kernel();
    for (level = L4; level <= L1; level++)
        for (i = 0; i < 512; i++)
            fake.memory[level][i] =
                (uint64_t)(L4 + (level + i) % 4) << 12 | PRESENT;
    ck_assert_int_eq(dump(), 0);
    ck_assert_uint_le(count_segments(), 4 * 4 * 512);
}
END_TEST

/* A guest may claim what it likes: the file stays as small as its memory. */
START_TEST(test_mica_core_of_a_lying_guest_is_bounded)
{
    struct shared_info *shared = (void *)fake.memory[SHARED];
    unsigned i;

    shared->arch.max_pfn = ~0ull;
    for (i = 0; i < 512; i++)
        fake.memory[TOP][i] = fake.memory[MIDDLE][i] = fake.memory[LEAF][i] =
            TOP;
    ck_assert_int_eq(dump(), 0);
    ck_assert_uint_eq(find_section(".xen_pages")->sh_size,
                      4 * CONTROL_PAGE_SIZE);
}
END_TEST

START_TEST(test_mica_core_without_a_table_says_so)
{
    struct shared_info *shared = (void *)fake.memory[SHARED];

    shared->arch.pfn_to_mfn_frame_list_list = ~0ull;
    ck_assert_int_eq(dump(), -1);
    ck_assert_str_eq(error.what, "web has no table of its pages");
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(test_mica_core_never_goes_over_a_file)
{
    ck_assert_int_eq(dump(), 0);
    ck_assert_int_eq(dump(), -1);
    ck_assert_int_eq(error.number, 17);
}
END_TEST

/* See mica_suites.h. */
TCase *mica_core_case(void)
{
    TCase *t = tcase_create("core");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_mica_core_has_pages_and_their_numbers);
    tcase_add_test(t, test_mica_core_has_the_notes_of_xen);
    tcase_add_test(t, test_mica_core_has_registers_and_shared_info);
    tcase_add_test(t, test_mica_core_has_memory_at_its_addresses);
    tcase_add_test(t, test_mica_core_has_the_kernels_half_first);
    tcase_add_test(t, test_mica_core_has_its_segments_behind_its_sections);
    tcase_add_test(t, test_mica_core_has_each_vcpu_as_a_thread);
    tcase_add_test(t, test_mica_core_of_tangled_tables_is_bounded);
    tcase_add_test(t, test_mica_core_of_a_lying_guest_is_bounded);
    tcase_add_test(t, test_mica_core_without_a_table_says_so);
    tcase_add_test(t, test_mica_core_never_goes_over_a_file);
    return t;
}
