/* SPDX-License-Identifier: MIT */
/*
 * Core dumps (core.h). The guest's own table tells which page is where: it
 * is read once and bounded by what the domain has, and no frame of another
 * domain can be mapped by it. What cannot be read is written as zeros.
 */
#include "dom0_tools/mica/core.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dom0_tools/lib/control_system.h"
#include "dom0_tools/mica/core_segments.h"
#include "dom0_tools/mica/core_thread.h"
#include "dom0_tools/mica/domain.h"
#include "hypercall_abi/shared_info.h"
#include "hypercall_abi/vcpu.h"

#define CORE_MAGIC 0xf00febedull /* a PV domain's */
#define NOTE_OWNER "Xen"
#define INVALID_FRAME_BITS (3ull << 62) /* not the domain's own memory */

enum {
    NOTE_NONE = 0x2000000,
    NOTE_HEADER,
    NOTE_XEN_VERSION,
    NOTE_FORMAT_VERSION,
    ENTRIES = CONTROL_PAGE_SIZE / sizeof(uint64_t),
    BATCH = 64,
};

enum section {
    SECTION_NONE,
    SECTION_NAMES,
    SECTION_NOTES,
    SECTION_CONTEXTS,
    SECTION_SHARED_INFO,
    SECTION_P2M,
    SECTION_THREADS,
    SECTION_PAGES,
    SECTIONS,
};

struct note_header {
    uint64_t magic, vcpus, pages, page_size;
};

struct note_version {
    uint64_t major, minor;
    char extra[16];
    char compiler[64], compiled_by[16], compiled_at[32], compiled_on[32];
    char capabilities[1024];
    char changeset[64];
    uint64_t virt_start;
    uint64_t page_size;
};

/* Each note's head is the same size: three words, and "Xen". */
struct notes {
    Elf64_Nhdr none_head;
    char none_owner[4];
    Elf64_Nhdr header_head;
    char header_owner[4];
    struct note_header header;
    Elf64_Nhdr version_head;
    char version_owner[4];
    struct note_version version;
    Elf64_Nhdr format_head;
    char format_owner[4];
    uint64_t format;
};

struct core {
    struct control *control;
    struct domain domain;
    FILE *file;
    uint64_t offset; /* of what is written next */
    struct vcpu_guest_context *contexts;
    unsigned context_count;
    union {
        struct shared_info info;
        uint8_t page[CONTROL_PAGE_SIZE];
    } shared;
    struct core_page *pages;
    uint64_t page_count;
    struct core_segments segments;
    uint64_t segments_offset;
    Elf64_Shdr sections[SECTIONS];
};

static const char *const section_names[SECTIONS] = {
    "",
    ".shstrtab",
    ".note.Xen",
    ".xen_prstatus",
    ".xen_shared_info",
    ".xen_p2m",
    ".note.threads",
    ".xen_pages",
};

static int fail_memory(struct error *e)
{
    return error_set(e, EXIT_STATUS_NO_MEMORY, "not enough memory");
}

static bool copy_frame(const struct core *core, uint64_t frame, void *copy)
{
    return core_copy_frame(core->control, core->domain.info.domain, frame,
                           copy);
}

static bool is_full(const struct core *core)
{
    return core->page_count == core->domain.info.pages;
}

static void take_entries(struct core *core, uint64_t pfn,
                         const uint64_t frames[ENTRIES], uint64_t end)
{
    unsigned i;

    for (i = 0; i < ENTRIES && pfn < end; i++, pfn++)
        if (!(frames[i] & INVALID_FRAME_BITS) && frames[i] && !is_full(core))
            core->pages[core->page_count++] =
                (struct core_page){pfn, frames[i]};
}

/* Walks the list of lists of the pages of the table of pages. */
static int read_table(struct core *core, struct error *e)
{
    const struct arch_shared_info *arch = &core->shared.info.arch;
    uint64_t top[ENTRIES], middle[ENTRIES], leaf[ENTRIES];
    uint64_t end = arch->max_pfn;
    unsigned i, j;

    if (!arch->pfn_to_mfn_frame_list_list ||
        !copy_frame(core, arch->pfn_to_mfn_frame_list_list, top)) {
        error_set(e, EXIT_STATUS_FAILED, "%s has no table of its pages",
                  core->domain.name);
        return error_hint(e, "it ended before its kernel made one");
    }
    for (i = 0; i < ENTRIES && (uint64_t)i * ENTRIES * ENTRIES < end; i++) {
        if (!top[i] || !copy_frame(core, top[i], middle))
            continue;
        for (j = 0; j < ENTRIES && !is_full(core); j++) {
            uint64_t pfn = ((uint64_t)i * ENTRIES + j) * ENTRIES;

            if (pfn < end && middle[j] && copy_frame(core, middle[j], leaf))
                take_entries(core, pfn, leaf, end);
        }
    }
    return 0;
}

static int read_contexts(struct core *core, struct error *e)
{
    const struct control_domain *info = &core->domain.info;
    unsigned vcpu;

    core->contexts = calloc(info->max_vcpus + 1ul, sizeof(*core->contexts));
    if (!core->contexts)
        return fail_memory(e);
    for (vcpu = 0; vcpu < info->max_vcpus; vcpu++)
        if (!control_vcpu_get_context(core->control, info->domain, vcpu,
                                      &core->contexts[core->context_count],
                                      NULL))
            core->context_count++;
    return 0;
}

static int read_domain(struct core *core, struct error *e)
{
    core->pages = calloc(core->domain.info.pages + 1, sizeof(*core->pages));
    if (!core->pages)
        return fail_memory(e);
    if (!copy_frame(core, core->domain.info.shared_info_frame, &core->shared))
        return error_set(e, EXIT_STATUS_FAILED,
                         "can't read the shared info page of %s",
                         core->domain.name);
    return read_contexts(core, e) ? -1 : read_table(core, e);
}

/* As the first vCPU sees them; kernels' halves are the same for all. */
static int find_segments(struct core *core, struct error *e)
{
    if (!core->context_count)
        return 0;
    return core_segments_find(
        core->control, core->domain.info.domain,
        core->contexts[0].ctrlreg[3] >> CONTROL_PAGE_SHIFT, core->pages,
        core->page_count, &core->segments, e);
}

static void head(Elf64_Nhdr *note, char owner[4], unsigned type, size_t size)
{
    *note = (Elf64_Nhdr){sizeof(NOTE_OWNER), (Elf64_Word)size, type};
    memcpy(owner, NOTE_OWNER, sizeof(NOTE_OWNER));
}

/* Text in a field of a certain size, with a zero behind it. */
static void fill(char *field, size_t size, const char *text)
{
    memcpy(field, text, strnlen(text, size - 1));
}

#define FILL(field, text) fill(field, sizeof(field), text)

static int make_notes(const struct core *core, struct notes *n, struct error *e)
{
    struct control_version v;

    if (control_version(core->control, &v, e))
        return -1;
    memset(n, 0, sizeof(*n));
    head(&n->none_head, n->none_owner, NOTE_NONE, 0);
    head(&n->header_head, n->header_owner, NOTE_HEADER, sizeof(n->header));
    n->header = (struct note_header){CORE_MAGIC, core->context_count,
                                     core->page_count, CONTROL_PAGE_SIZE};
    head(&n->version_head, n->version_owner, NOTE_XEN_VERSION,
         sizeof(n->version));
    n->version = (struct note_version){.major = v.major,
                                       .minor = v.minor,
                                       .virt_start = v.virt_start,
                                       .page_size = v.page_size};
    FILL(n->version.extra, v.extra);
    FILL(n->version.capabilities, v.capabilities);
    FILL(n->version.changeset, v.changeset);
    FILL(n->version.compiler, v.compiler);
    FILL(n->version.compiled_by, v.compiled_by);
    FILL(n->version.compiled_at, v.compiled_at);
    FILL(n->version.compiled_on, v.compiled_on);
    head(&n->format_head, n->format_owner, NOTE_FORMAT_VERSION,
         sizeof(n->format));
    n->format = 1;
    return 0;
}

/* Places a section behind the one before it. */
static void place(struct core *core, enum section section, unsigned type,
                  uint64_t size, uint64_t entry, uint64_t alignment)
{
    Elf64_Shdr *s = &core->sections[section];

    core->offset = (core->offset + alignment - 1) / alignment * alignment;
    s->sh_type = type;
    s->sh_offset = core->offset;
    s->sh_size = size;
    s->sh_entsize = entry;
    s->sh_addralign = alignment;
    core->offset += size;
}

static size_t place_names(struct core *core, char names[256])
{
    size_t size = 0;
    unsigned i;

    for (i = 0; i < SECTIONS; i++) {
        core->sections[i].sh_name = (Elf64_Word)size;
        size += (size_t)sprintf(names + size, "%s", section_names[i]) + 1;
    }
    return size;
}

static void place_all(struct core *core, size_t names_size)
{
    core->offset = sizeof(Elf64_Ehdr) + sizeof(core->sections);
    place(core, SECTION_NAMES, SHT_STRTAB, names_size, 0, 1);
    place(core, SECTION_NOTES, SHT_NOTE, sizeof(struct notes), 0, 8);
    place(core, SECTION_CONTEXTS, SHT_PROGBITS,
          core->context_count * sizeof(*core->contexts),
          sizeof(*core->contexts), 8);
    place(core, SECTION_SHARED_INFO, SHT_PROGBITS, CONTROL_PAGE_SIZE,
          CONTROL_PAGE_SIZE, CONTROL_PAGE_SIZE);
    place(core, SECTION_P2M, SHT_PROGBITS,
          core->page_count * sizeof(*core->pages), sizeof(*core->pages), 8);
    place(core, SECTION_THREADS, SHT_NOTE,
          core->context_count * sizeof(struct core_thread), 0, 8);
    core->segments_offset = core->offset;
    core->offset += (core->segments.count + 1) * sizeof(Elf64_Phdr);
    place(core, SECTION_PAGES, SHT_PROGBITS,
          core->page_count * CONTROL_PAGE_SIZE, CONTROL_PAGE_SIZE,
          CONTROL_PAGE_SIZE);
}

/* Writes a section where it was placed; stdio notes what fails. */
static void write_section(const struct core *core, enum section section,
                          const void *bytes)
{
    fseeko(core->file, (off_t)core->sections[section].sh_offset, SEEK_SET);
    fwrite(bytes, 1, core->sections[section].sh_size, core->file);
}

static void write_header(const struct core *core)
{
    Elf64_Ehdr h = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
                                ELFDATA2LSB, EV_CURRENT, ELFOSABI_SYSV},
                    .e_type = ET_CORE,
                    .e_machine = EM_X86_64,
                    .e_version = EV_CURRENT,
                    .e_phoff = core->segments_offset,
                    .e_shoff = sizeof(h),
                    .e_ehsize = sizeof(h),
                    .e_phentsize = sizeof(Elf64_Phdr),
                    .e_phnum = (Elf64_Half)(core->segments.count + 1),
                    .e_shentsize = sizeof(Elf64_Shdr),
                    .e_shnum = SECTIONS,
                    .e_shstrndx = SECTION_NAMES};

    rewind(core->file);
    fwrite(&h, sizeof(h), 1, core->file);
    fwrite(core->sections, sizeof(core->sections), 1, core->file);
}

static void write_threads(const struct core *core)
{
    const Elf64_Shdr *s = &core->sections[SECTION_THREADS];
    struct core_thread notes;
    unsigned i;

    fseeko(core->file, (off_t)s->sh_offset, SEEK_SET);
    for (i = 0; i < core->context_count; i++) {
        core_thread_fill(&notes, i + 1, &core->contexts[i]);
        fwrite(&notes, sizeof(notes), 1, core->file);
    }
}

static void write_segments(const struct core *core)
{
    const Elf64_Shdr *threads = &core->sections[SECTION_THREADS];
    uint64_t pages = core->sections[SECTION_PAGES].sh_offset;
    Elf64_Phdr head = {.p_type = PT_NOTE,
                       .p_offset = threads->sh_offset,
                       .p_filesz = threads->sh_size,
                       .p_align = 4};
    size_t i;

    fseeko(core->file, (off_t)core->segments_offset, SEEK_SET);
    fwrite(&head, sizeof(head), 1, core->file);
    for (i = 0; i < core->segments.count; i++) {
        const struct core_segment *s = &core->segments.list[i];

        head = (Elf64_Phdr){.p_type = PT_LOAD,
                            .p_flags = PF_R | PF_W | PF_X,
                            .p_offset = pages + s->first * CONTROL_PAGE_SIZE,
                            .p_vaddr = s->address,
                            .p_paddr =
                                core->pages[s->first].pfn * CONTROL_PAGE_SIZE,
                            .p_filesz = s->count * CONTROL_PAGE_SIZE,
                            .p_memsz = s->count * CONTROL_PAGE_SIZE,
                            .p_align = CONTROL_PAGE_SIZE};
        fwrite(&head, sizeof(head), 1, core->file);
    }
}

/* One by one where some of a batch can't be mapped. */
static void write_slowly(const struct core *core, const struct core_page *pages,
                         uint64_t count)
{
    static const uint8_t zeros[CONTROL_PAGE_SIZE];
    uint8_t copy[CONTROL_PAGE_SIZE];
    uint64_t i;

    for (i = 0; i < count; i++)
        fwrite(copy_frame(core, pages[i].frame, copy) ? copy : zeros,
               sizeof(copy), 1, core->file);
}

static void write_pages(const struct core *core)
{
    uint64_t frames[BATCH];
    uint64_t done, count, i;

    fseeko(core->file, (off_t)core->sections[SECTION_PAGES].sh_offset,
           SEEK_SET);
    for (done = 0; done < core->page_count; done += count) {
        const struct core_page *pages = &core->pages[done];
        void *mapping;

        count =
            core->page_count - done < BATCH ? core->page_count - done : BATCH;
        for (i = 0; i < count; i++)
            frames[i] = pages[i].frame;
        mapping = control_map_frames(core->control, core->domain.info.domain,
                                     frames, count, false, NULL);
        if (mapping)
            fwrite(mapping, CONTROL_PAGE_SIZE, count, core->file);
        else
            write_slowly(core, pages, count);
        control_unmap_frames(core->control, mapping, count);
        if (ferror(core->file))
            return;
    }
}

static int write_core(struct core *core, struct error *e)
{
    struct notes notes;
    char names[256];

    if (make_notes(core, &notes, e))
        return -1;
    place_all(core, place_names(core, names));
    write_header(core);
    write_section(core, SECTION_NAMES, names);
    write_section(core, SECTION_NOTES, &notes);
    write_section(core, SECTION_CONTEXTS, core->contexts);
    write_section(core, SECTION_SHARED_INFO, &core->shared);
    write_section(core, SECTION_P2M, core->pages);
    write_threads(core);
    write_segments(core);
    write_pages(core);
    return 0;
}

static int save(struct core *core, const char *path, struct error *e)
{
    /* Whoever reads it sees all of the guest's memory. */
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int result, number;

    core->file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!core->file)
        goto fail;
    errno = 0;
    result = write_core(core, e);
    number = !ferror(core->file) ? 0 : errno ? errno : EIO;
    if (fclose(core->file) && !number)
        number = errno;
    if (!result && !number)
        return 0;
    unlink(path);
    errno = number;
    if (result)
        return -1;
fail:
    error_set_errno(e, errno, "can't write %.120s", path);
    return error_hint(e, "choose a new file where there is room");
}

/* See core.h. */
int core_dump(struct call *call, domid_t id, const char *path, struct error *e)
{
    struct core *core = calloc(1, sizeof(*core));
    char word[16];
    int result = -1;

    if (!core)
        return fail_memory(e);
    snprintf(word, sizeof(word), "%u", id);
    core->control = call_control(call, e);
    if (core->control && !domain_find(call, word, &core->domain, e) &&
        !read_domain(core, e) && !find_segments(core, e)) {
        result = save(core, path, e);
    }
    free(core->contexts);
    free(core->pages);
    free(core->segments.list);
    free(core);
    return result;
}

static int run_dump_core(struct call *call, struct error *e)
{
    struct domain domain;
    int result;

    if (domain_find(call, call->operands[0], &domain, e))
        return -1;
    if (!domain.info.domain) {
        error_set(e, EXIT_STATUS_REFUSED, "can't dump dom0");
        return error_hint(e, "see kdump(8)");
    }
    if (control_domain_pause(call->control, domain.info.domain, e))
        return -1;
    result = core_dump(call, domain.info.domain, call->operands[1], e);
    if (control_domain_unpause(call->control, domain.info.domain, NULL) &&
        !result)
        result = error_set(e, EXIT_STATUS_FAILED,
                           "%s stayed paused after the dump", domain.name);
    return result;
}

static const struct verb verbs[] = {
    {.name = "dump-core",
     .synopsis = "DOMAIN FILE",
     .help = "write the memory and registers of a domain to a file",
     .details = "The domain is paused meanwhile. The file, which must not "
                "exist, is an ELF core that gdb(1) and crash(8) read.",
     .operand = VERB_OPERAND_DOMAIN,
     .flags = VERB_NEEDS_ROOT,
     .min_operands = 2,
     .max_operands = 2,
     .run = run_dump_core},
    {0},
};

/* See verb.h. */
const struct verb *core_verbs(void)
{
    return verbs;
}
