/* SPDX-License-Identifier: MIT */
/* The builder of domains, against a hypervisor of the test's own. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "builder_world.h"
#include "core/pte.h"
#include "dom0_tools/lib/build.h"
#include "dom0_tools/lib/build_cache.h"
#include "hypercall_abi/domctl.h"
#include "hypercall_abi/grant_table.h"
#include "hypercall_abi/start_info.h"

#define STORE_PORT 3
#define CONSOLE_PORT 4
#define KIB_PER_MIB 1024ull

static struct error error;
static struct build_result result;

static int build(const struct build_options *o)
{
    const struct build_target target = {
        .domain = WORLD_DOMAIN,
        .store_port = STORE_PORT,
        .console_port = CONSOLE_PORT,
        .store_domain = 5,
    };
    struct build *b;
    int failed;

    error = (struct error){.what = ""};
    b = build_prepare(NULL, o, &error);
    if (!b)
        return -1;
    failed = build_domain(b, NULL, &target, &result, &error);
    build_free(b);
    return failed;
}

static struct build_options options_for(enum world_kernel kind)
{
    return (struct build_options){
        .kernel = world_kernel_file(kind),
        .command_line = "quiet splash",
        .memory_kib = 64 * KIB_PER_MIB,
    };
}

/* The bytes that the new domain sees at `va`, up to the end of its page. */
static void *at(uint64_t va)
{
    uint64_t entry, frame = world_walk(va, &entry);

    ck_assert_msg(frame, "nothing is mapped at %#llx", (unsigned long long)va);
    return (char *)world_frame(frame) + va % PAGE_SIZE;
}

static struct start_info *info(void)
{
    return at(world.context.user_regs.rsi);
}

static uint64_t p2m(uint64_t pfn)
{
    return *(uint64_t *)at(info()->mfn_list + pfn * sizeof(uint64_t));
}

/* --- what is built ------------------------------------------------------- */

START_TEST(test_builder_linux_finds_kernel_and_start_info)
{
    struct build_options o = options_for(WORLD_LINUX);
    const struct vcpu_guest_context *c = &world.context;

    ck_assert_msg(!build(&o), "%s: %s", error.what, error.why);
    ck_assert(world.is_started);
    ck_assert_uint_eq(c->user_regs.rip,
                      KERNEL_BASE + KERNEL_PFN * PAGE_SIZE + 16);
    ck_assert_uint_eq(c->ctrlreg[3], world.pinned << PAGE_SHIFT);
    ck_assert_str_eq(at(KERNEL_BASE + KERNEL_PFN * PAGE_SIZE), KERNEL_TEXT);
    ck_assert_str_eq(info()->magic, "xen-3.0-x86_64");
    ck_assert_str_eq(info()->cmd_line, "quiet splash");
    ck_assert_uint_eq(info()->nr_pages, 64 << 8);
    ck_assert_uint_eq(info()->shared_info, WORLD_SHARED_INFO << PAGE_SHIFT);
    ck_assert_uint_eq(info()->flags & (SIF_PRIVILEGED | SIF_INITDOMAIN), 0);
    ck_assert_uint_eq(info()->mod_len, 0);
    ck_assert_uint_eq(world.flags, MICA_KERNEL_SHARES_LOWER_HALF);
    ck_assert_uint_eq(world.stubs_frame, 0);
}
END_TEST

START_TEST(test_builder_first_mapping_is_all_pages_in_order)
{
    struct build_options o = options_for(WORLD_LINUX);
    uint64_t entry, pfn = 0, tables;

    ck_assert(!build(&o));
    tables = (info()->pt_base - KERNEL_BASE) >> PAGE_SHIFT;
    for (uint64_t frame;
         (frame = world_walk(KERNEL_BASE + (pfn << PAGE_SHIFT), &entry)) != 0;
         pfn++) {
        bool is_table = pfn - tables < info()->nr_pt_frames;

        ck_assert_uint_eq(frame, p2m(pfn));
        ck_assert_uint_eq(!(entry & PTE_WRITE), is_table);
        ck_assert(entry & PTE_USER && !(entry & PTE_NX));
    }
    ck_assert_uint_eq(pfn % 1024, 0);
    ck_assert_uint_ge(pfn << PAGE_SHIFT,
                      world.context.user_regs.rsp - KERNEL_BASE + (512 << 10));
    ck_assert_uint_eq(p2m(tables), world.pinned);
}
END_TEST

START_TEST(test_builder_p2m_lists_every_page_once)
{
    struct build_options o = options_for(WORLD_LINUX);
    uint8_t *seen = calloc(WORLD_FRAMES, 1);

    ck_assert(!build(&o) && seen);
    ck_assert_uint_eq(info()->mfn_list, KERNEL_P2M);
    for (uint64_t pfn = 0; pfn < info()->nr_pages; pfn++) {
        uint8_t *frame = world_frame(p2m(pfn));
        size_t n =
            (size_t)(frame - (uint8_t *)world_frame(0x1fffff)) >> PAGE_SHIFT;

        ck_assert_uint_eq(seen[n]++, 0);
    }
    free(seen);
    ck_assert_uint_ne(info()->first_p2m_pfn, 0);
    ck_assert_uint_gt(info()->nr_p2m_frames, info()->nr_pages / 512);
}
END_TEST

START_TEST(test_builder_ramdisk_is_a_run_of_pages)
{
    struct build_options o = options_for(WORLD_LINUX);
    size_t size = 5 * PAGE_SIZE / 2;
    uint8_t *bytes = malloc(size);

    ck_assert(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 7 >> 3);
    o.ramdisk = world_file(bytes, size);
    ck_assert(!build(&o));
    ck_assert(info()->flags & SIF_MOD_START_PFN);
    ck_assert_uint_eq(info()->mod_len, size);
    for (size_t i = 0; i < size; i++) {
        uint8_t *page = world_frame(p2m(info()->mod_start + i / PAGE_SIZE));

        ck_assert_uint_eq(page[i % PAGE_SIZE], bytes[i]);
    }
    free(bytes);
}
END_TEST

START_TEST(test_builder_older_kernel_gets_all_in_its_mapping)
{
    struct build_options o = options_for(WORLD_OLD);

    o.ramdisk = world_file("a ramdisk", 10);
    ck_assert(!build(&o));
    ck_assert_uint_eq(info()->flags & SIF_MOD_START_PFN, 0);
    ck_assert_str_eq(at(info()->mod_start), "a ramdisk");
    ck_assert_uint_gt(info()->mfn_list, KERNEL_BASE);
    ck_assert_uint_eq(info()->nr_p2m_frames, 0);
    ck_assert_uint_eq(world.stubs_frame, p2m(KERNEL_PFN + 1));
    ck_assert_uint_eq(world.flags, 0);
}
END_TEST

START_TEST(test_builder_low_kernel_is_built_at_zero)
{
    struct build_options o = options_for(WORLD_LOW);

    ck_assert(!build(&o));
    ck_assert_str_eq(at(KERNEL_PFN * PAGE_SIZE), KERNEL_TEXT);
    ck_assert_uint_lt(info()->pt_base, 64 << 20);
    ck_assert_uint_eq(world.flags, 0);
}
END_TEST

START_TEST(test_builder_rings_are_the_guest_s_and_granted)
{
    struct build_options o = options_for(WORLD_LINUX);
    const struct grant_entry_v1 *console, *store;

    ck_assert(!build(&o));
    console = &world.grants[GNTTAB_RESERVED_CONSOLE];
    store = &world.grants[GNTTAB_RESERVED_XENSTORE];
    ck_assert_uint_eq(info()->store_mfn, result.store_frame);
    ck_assert_uint_eq(info()->store_evtchn, STORE_PORT);
    ck_assert_uint_eq(info()->console.domU.mfn, result.console_frame);
    ck_assert_uint_eq(info()->console.domU.evtchn, CONSOLE_PORT);
    ck_assert_uint_eq(console->frame, result.console_frame);
    ck_assert_uint_eq(console->domid, 0);
    ck_assert_uint_eq(console->flags, GTF_permit_access);
    ck_assert_uint_eq(store->frame, result.store_frame);
    ck_assert_uint_eq(store->domid, 5);
    ck_assert_uint_ne(result.store_frame, result.console_frame);
    for (uint64_t i = 0; i < PAGE_SIZE; i++)
        ck_assert_uint_eq(((uint8_t *)world_frame(result.store_frame))[i], 0);
}
END_TEST

START_TEST(test_builder_scattered_memory_is_used_too)
{
    struct build_options o = options_for(WORLD_LINUX);

    world.largest = 3;
    ck_assert(!build(&o));
    ck_assert_uint_eq(world.given, 64 << 8);
    ck_assert_str_eq(at(KERNEL_BASE + KERNEL_PFN * PAGE_SIZE), KERNEL_TEXT);
}
END_TEST

START_TEST(test_builder_odd_size_gives_exactly_that)
{
    struct build_options o = options_for(WORLD_LINUX);

    o.memory_kib = 64 * KIB_PER_MIB + 20;
    ck_assert(!build(&o));
    ck_assert_uint_eq(world.given, (64 << 8) + 5);
    ck_assert_uint_eq(result.pages, (64 << 8) + 5);
}
END_TEST

START_TEST(test_builder_maximum_is_in_limit_and_map)
{
    struct build_options o = options_for(WORLD_LINUX);

    o.max_memory_kib = 96 * KIB_PER_MIB;
    ck_assert(!build(&o));
    ck_assert_uint_eq(world.max_kib, 96 * KIB_PER_MIB);
    ck_assert_uint_eq(world.map_size, 96 << 20);
    ck_assert_uint_eq(info()->nr_pages, 64 << 8);
}
END_TEST

/* --- packed kernels ------------------------------------------------------ */

static char cache[] = "/tmp/mica-cache-XXXXXX";

static void make_cache(void)
{
    strcpy(cache + sizeof(cache) - 7, "XXXXXX");
    ck_assert(mkdtemp(cache));
    build_cache_set_directory(cache);
    world_reset();
}

/* Removes what is in the cache; how many files there were. */
static unsigned empty_cache(void)
{
    DIR *files = opendir(cache);
    const struct dirent *entry;
    unsigned count = 0;

    ck_assert(files);
    while ((entry = readdir(files)))
        if (entry->d_name[0] != '.' &&
            !unlinkat(dirfd(files), entry->d_name, 0))
            count++;
    closedir(files);
    return count;
}

static void remove_cache(void)
{
    empty_cache();
    rmdir(cache);
    world_free();
}

START_TEST(test_builder_packed_kernel_is_built_and_kept)
{
    struct build_options o = options_for(WORLD_LINUX);

    o.kernel = world_gzip_file(o.kernel);
    for (unsigned i = 0; i < 2; i++) {
        world.given = world.pinned = 0;
        ck_assert_msg(!build(&o), "%s: %s", error.what, error.why);
        ck_assert_str_eq(at(KERNEL_BASE + KERNEL_PFN * PAGE_SIZE), KERNEL_TEXT);
    }
    ck_assert_uint_eq(empty_cache(), 1);
}
END_TEST

START_TEST(test_builder_kernel_that_is_not_packed_is_not_kept)
{
    struct build_options o = options_for(WORLD_LINUX);

    ck_assert(!build(&o));
    ck_assert_uint_eq(empty_cache(), 0);
}
END_TEST

START_TEST(test_builder_kept_kernel_is_used_in_place_of_its_file)
{
    struct build_options o = options_for(WORLD_LINUX);
    struct stat before, after;
    int fd;

    o.kernel = world_gzip_file(o.kernel);
    ck_assert(!build(&o) && !stat(o.kernel, &before));
    fd = build_cache_find(&before);
    ck_assert_int_ge(fd, 0);
    close(fd);

    /* A file that changes is another one. */
    ck_assert(!truncate(o.kernel, before.st_size - 1));
    ck_assert(!stat(o.kernel, &after));
    ck_assert_int_lt(build_cache_find(&after), 0);
    world.given = world.pinned = 0;
    ck_assert(build(&o));
    ck_assert_int_eq(error.status, EXIT_STATUS_BAD_KERNEL);
}
END_TEST

START_TEST(test_builder_directory_that_others_enter_is_not_used)
{
    struct build_options o = options_for(WORLD_LINUX);

    o.kernel = world_gzip_file(o.kernel);
    ck_assert(!chmod(cache, 0755));
    ck_assert(!build(&o));
    ck_assert_uint_eq(empty_cache(), 0);
}
END_TEST

START_TEST(test_builder_kernel_larger_than_its_domain_is_not_unpacked)
{
    struct build_options o = options_for(WORLD_LINUX);
    size_t size = 8 << 20;
    char *bytes = calloc(1, size);

    ck_assert(bytes);
    memcpy(bytes, "\177ELF", 4);
    o.kernel = world_gzip_file(world_file(bytes, size));
    free(bytes);
    o.memory_kib = 4 * KIB_PER_MIB;
    ck_assert(build(&o));
    ck_assert_int_eq(error.status, EXIT_STATUS_NO_MEMORY);
    ck_assert(strstr(error.why, "needs 8 MiB, 4 MiB are given"));
    ck_assert_uint_eq(empty_cache(), 0);
}
END_TEST

/* --- what is refused ----------------------------------------------------- */

/* Refused with `status` and `text` in the reason, and nothing was done. */
static void check_refused(const struct build_options *o,
                          enum exit_status status, const char *text)
{
    ck_assert(build(o));
    ck_assert_msg(error.status == status && strstr(error.why, text),
                  "status %d: %s: %s", error.status, error.what, error.why);
    ck_assert_uint_eq(world.given, 0);
    ck_assert_uint_eq(world.max_kib, 0);
}

START_TEST(test_builder_more_than_is_free_is_refused_with_numbers)
{
    struct build_options o = options_for(WORLD_LINUX);

    o.memory_kib = 200 * KIB_PER_MIB;
    check_refused(&o, EXIT_STATUS_NO_MEMORY, "100 MiB are free");
    ck_assert(strstr(error.hint, "memory="));
}
END_TEST

START_TEST(test_builder_too_little_for_the_ramdisk_says_what_is_needed)
{
    struct build_options o = options_for(WORLD_LINUX);
    size_t size = 20 << 20;
    void *bytes = calloc(1, size);

    o.ramdisk = world_file(bytes, size);
    free(bytes);
    o.memory_kib = 16 * KIB_PER_MIB;
    check_refused(&o, EXIT_STATUS_NO_MEMORY, "16 MiB are given");
    o.memory_kib =
        strtoul(strstr(error.why, "need ") + 5, NULL, 10) * KIB_PER_MIB;
    ck_assert_msg(!build(&o), "%s", error.why);
}
END_TEST

START_TEST(test_builder_what_is_no_kernel_is_refused)
{
    struct build_options o = options_for(WORLD_LINUX);

    o.kernel = world_file("#!/bin/sh\n", 10);
    check_refused(&o, EXIT_STATUS_BAD_KERNEL, "neither");
    o.kernel = "/nowhere/vmlinuz";
    check_refused(&o, EXIT_STATUS_FAILED, "No such file");
    o.kernel = "/";
    check_refused(&o, EXIT_STATUS_FAILED, "directory");
    o.kernel = world_file("", 0);
    check_refused(&o, EXIT_STATUS_FAILED, "");
}
END_TEST

START_TEST(test_builder_kernel_that_finds_no_room_says_so)
{
    struct build_options o = options_for(WORLD_LINUX);
    struct rlimit small = {.rlim_cur = 4096, .rlim_max = 4096};

    signal(SIGXFSZ, SIG_IGN);
    ck_assert(!setrlimit(RLIMIT_FSIZE, &small));
    check_refused(&o, EXIT_STATUS_FAILED, "File too large");
    ck_assert_int_eq(error.number, EFBIG);
}
END_TEST

START_TEST(test_builder_missing_ramdisk_is_refused)
{
    struct build_options o = options_for(WORLD_LINUX);

    o.ramdisk = "/nowhere/initrd";
    check_refused(&o, EXIT_STATUS_FAILED, "No such file");
}
END_TEST

START_TEST(test_builder_long_command_line_is_refused)
{
    struct build_options o = options_for(WORLD_LINUX);
    char line[1025];

    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    o.command_line = line;
    check_refused(&o, EXIT_STATUS_USAGE, "1023");
    line[1023] = '\0';
    ck_assert(!build(&o));
    ck_assert_str_eq(info()->cmd_line, line);
}
END_TEST

START_TEST(test_builder_sizes_without_sense_are_refused)
{
    struct build_options o = options_for(WORLD_LINUX);

    o.memory_kib = 3;
    check_refused(&o, EXIT_STATUS_USAGE, "");
    o.memory_kib = ~0ull;
    check_refused(&o, EXIT_STATUS_USAGE, "");
    o.memory_kib = 64 * KIB_PER_MIB;
    o.max_memory_kib = 32 * KIB_PER_MIB;
    check_refused(&o, EXIT_STATUS_USAGE, "65536");
}
END_TEST

START_TEST(test_builder_memory_that_runs_out_meanwhile_is_an_error)
{
    struct build_options o = options_for(WORLD_LINUX);
    const struct build_target target = {.domain = WORLD_DOMAIN};
    struct build *b = build_prepare(NULL, &o, &error);

    ck_assert(b);
    world.free_pages = 40 << 8;
    ck_assert(build_domain(b, NULL, &target, &result, &error));
    ck_assert_int_eq(error.status, EXIT_STATUS_NO_MEMORY);
    ck_assert(strstr(error.why, "after 40 MiB"));
    ck_assert(!world.pinned && !world.is_started && !world.mappings);
    build_free(b);
}
END_TEST

START_TEST(test_builder_plan_builds_more_than_once)
{
    struct build_options o = options_for(WORLD_LINUX);
    const struct build_target target = {.domain = WORLD_DOMAIN};
    struct build *b;

    o.ramdisk = world_file("once more", 10);
    b = build_prepare(NULL, &o, &error);
    ck_assert(b);
    for (unsigned i = 0; i < 2; i++) {
        world_reset();
        ck_assert(!build_domain(b, NULL, &target, &result, &error));
        ck_assert_str_eq(world_frame(p2m(info()->mod_start)), "once more");
    }
    build_free(b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("builder");
    TCase *made = tcase_create("made");
    TCase *packed = tcase_create("packed");
    TCase *refused = tcase_create("refused");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(made, world_reset, world_free);
    tcase_add_checked_fixture(packed, make_cache, remove_cache);
    tcase_add_checked_fixture(refused, world_reset, world_free);
    tcase_add_test(made, test_builder_linux_finds_kernel_and_start_info);
    tcase_add_test(made, test_builder_first_mapping_is_all_pages_in_order);
    tcase_add_test(made, test_builder_p2m_lists_every_page_once);
    tcase_add_test(made, test_builder_ramdisk_is_a_run_of_pages);
    tcase_add_test(made, test_builder_older_kernel_gets_all_in_its_mapping);
    tcase_add_test(made, test_builder_low_kernel_is_built_at_zero);
    tcase_add_test(made, test_builder_rings_are_the_guest_s_and_granted);
    tcase_add_test(made, test_builder_scattered_memory_is_used_too);
    tcase_add_test(made, test_builder_odd_size_gives_exactly_that);
    tcase_add_test(made, test_builder_maximum_is_in_limit_and_map);
    tcase_add_test(made, test_builder_plan_builds_more_than_once);
    tcase_add_test(packed, test_builder_packed_kernel_is_built_and_kept);
    tcase_add_test(packed, test_builder_kernel_that_is_not_packed_is_not_kept);
    tcase_add_test(packed,
                   test_builder_kept_kernel_is_used_in_place_of_its_file);
    tcase_add_test(packed,
                   test_builder_directory_that_others_enter_is_not_used);
    tcase_add_test(packed,
                   test_builder_kernel_larger_than_its_domain_is_not_unpacked);
    tcase_add_test(refused,
                   test_builder_more_than_is_free_is_refused_with_numbers);
    tcase_add_test(refused,
                   test_builder_too_little_for_the_ramdisk_says_what_is_needed);
    tcase_add_test(refused, test_builder_what_is_no_kernel_is_refused);
    tcase_add_test(refused, test_builder_kernel_that_finds_no_room_says_so);
    tcase_add_test(refused, test_builder_missing_ramdisk_is_refused);
    tcase_add_test(refused, test_builder_long_command_line_is_refused);
    tcase_add_test(refused, test_builder_sizes_without_sense_are_refused);
    tcase_add_test(refused,
                   test_builder_memory_that_runs_out_meanwhile_is_an_error);
    suite_add_tcase(suite, made);
    suite_add_tcase(suite, packed);
    suite_add_tcase(suite, refused);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
