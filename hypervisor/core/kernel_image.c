/* SPDX-License-Identifier: MIT */
/* Recognises the containers of kernels by their first bytes (kernel.h). */
#include "core/kernel.h"

/* The fields of a bzImage's header, by file offset. */
enum {
    SETUP_SECTORS = 0x1f1,
    MAGIC = 0x202,
    PROTOCOL = 0x206,
    PAYLOAD_OFFSET = 0x248,
    PAYLOAD_LENGTH = 0x24c,
    HEADER_END = 0x250,
    SECTOR = 512,
    SETUP_SECTORS_DEFAULT = 4,
    PROTOCOL_WITH_PAYLOAD = 0x0208,
    SIZE_TRAILER = 4,
};

/* How each begins; the unpackers look at the rest. */
static const uint16_t magics[] = {
    [UNPACK_NONE] = 0x457f, [UNPACK_GZIP] = 0x8b1f, [UNPACK_LZMA] = 0x005d,
    [UNPACK_XZ] = 0x37fd,   [UNPACK_LZ4] = 0x2102,  [UNPACK_ZSTD] = 0xb528,
};

static uint32_t read32(const uint8_t *p)
{
    uint32_t value;

    memcpy(&value, p, sizeof(value));
    return value;
}

static bool find_method(struct unpack_job *job)
{
    uint16_t magic = 0;

    memcpy(&magic, job->packed, min_u64(job->packed_size, sizeof(magic)));
    for (unsigned i = 0; i < ARRAY_LEN(magics); i++) {
        job->method = (enum unpack_method)i;
        if (magics[i] == magic)
            return true;
    }
    return false;
}

/*
 * Linux's build puts the unpacked size behind every payload; gzip has it at
 * the end of its own stream, so there it must stay.
 */
static const char *read_size(struct unpack_job *job)
{
    job->out_size = job->packed_size;
    if (job->method == UNPACK_NONE)
        return NULL;
    if (job->packed_size <= SIZE_TRAILER)
        return "its packed payload is cut short";
    job->out_size = read32(job->packed + job->packed_size - SIZE_TRAILER);
    if (job->method != UNPACK_GZIP)
        job->packed_size -= SIZE_TRAILER;
    return job->out_size ? NULL : "its packed payload claims to be empty";
}

static const char *open_bzimage(struct unpack_job *job, const uint8_t *file,
                                size_t size)
{
    uint32_t sectors =
        file[SETUP_SECTORS] ? file[SETUP_SECTORS] : SETUP_SECTORS_DEFAULT;
    uint64_t start =
        (sectors + 1) * SECTOR + (uint64_t)read32(file + PAYLOAD_OFFSET);
    uint64_t length = read32(file + PAYLOAD_LENGTH);

    if ((uint16_t)read32(file + PROTOCOL) < PROTOCOL_WITH_PAYLOAD || !length)
        return "its bzImage has no ELF payload (Linux: older than 2.6.26)";
    if (start > size || length > size - start)
        return "the bzImage is cut short: its payload lies past the end of the "
               "file";
    job->packed = file + start;
    job->packed_size = length;
    if (!find_method(job))
        return "its payload is packed by an unknown method";
    return read_size(job);
}

/*
 * Finds the kernel inside a file and fills *job, all but the memory to work
 * with: what to unpack, by which method, and how large it claims to become,
 * less than 4 GiB; or with UNPACK_NONE an ELF file in place. NULL, or why not.
 * Whether the method is linked in is unpack()'s to say.
 */
const char *kernel_image_open(struct unpack_job *job, const void *file,
                              size_t size)
{
    *job = (struct unpack_job){.packed = file, .packed_size = size};
    if (size >= HEADER_END && !memcmp((const char *)file + MAGIC, "HdrS", 4))
        return open_bzimage(job, file, size);
    if (!find_method(job))
        return "it is neither a Linux bzImage nor an ELF file";
    if (job->method != UNPACK_NONE && job->method != UNPACK_GZIP)
        return "it is a packed file that doesn't say how large it is; give it "
               "unpacked or packed by gzip";
    return read_size(job);
}
