/* SPDX-License-Identifier: MIT */
/*
 * The decoder on arbitrary bytes, and what it found on arbitrary registers:
 * registers hold the same bytes.
 */
#include <stdlib.h>

#include "x86/pte_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void claim(bool claim_holds)
{
    if (!claim_holds)
        abort();
}

static void check_result(const struct insn *i, size_t size)
{
    claim(i->length >= 1 && i->length <= INSN_MAX_LENGTH && i->length <= size);
    claim(i->size == 1 || i->size == 2 || i->size == 4 || i->size == 8);
    claim(i->reg < 16 && i->rm < 16);
}

static int update(void *context, uint64_t expected, uint64_t value,
                  uint64_t *seen)
{
    uint64_t *entry = context;

    claim(*entry == expected);
    *entry = *seen = value;
    return 0;
}

/* A store changes no byte of the entry outside its operand. */
static void check_store(const struct insn *i, struct regs *r)
{
    unsigned byte = (unsigned)r->rcx & (8u - i->size);
    uint64_t entry = r->rbx, before = entry;
    uint64_t mask = insn_operand_mask(i->size) << (8 * byte);
    struct pte_target target = {entry, byte, update, &entry};

    claim(!pte_store(i, r, insn_operand_read(i, r), &target));
    claim(!((entry ^ before) & ~mask));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct regs r = {0};
    struct insn i, again;

    memcpy(&r, data, size < sizeof(r) ? size : sizeof(r));
    if (insn_decode(&i, data, size))
        return 0;
    check_result(&i, size);
    claim(!insn_decode(&again, data, i.length));
    claim(!memcmp(&i, &again, sizeof(i)));
    claim(insn_decode(&again, data, i.length - 1u));
    if (insn_writes_memory(&i))
        check_store(&i, &r);
    return 0;
}
