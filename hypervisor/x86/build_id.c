/* SPDX-License-Identifier: MIT */
/* The linker's name for this build: an ELF note in the image. */
#include "core/machine.h"

struct note {
    uint32_t name_size, size, type;
    char name[4]; /* "GNU" */
    uint8_t id[];
};

extern const char build_id_start[], build_id_end[]; /* link.lds.S */

const void *machine_build_id(size_t *size)
{
    const struct note *note = (const void *)build_id_start;
    size_t room = (size_t)(build_id_end - build_id_start);

    *size =
        room < sizeof(*note) ? 0 : min_u64(note->size, room - sizeof(*note));
    return note->id;
}
