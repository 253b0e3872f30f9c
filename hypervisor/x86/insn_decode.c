/* SPDX-License-Identifier: MIT */
/*
 * One table says what each opcode is and what follows it, those that kernels
 * set entries with first. Decoding goes strictly forward; behind the
 * bytes that were given lie zeros, which are no prefix, so that no step needs
 * a check of its own. Having used one of them makes the whole result invalid.
 */
#include "x86/insn_decode.h"

enum { REX_B = 1, REX_R = 4, REX_W = 8 };

/* The form of an instruction: its operands and what their size depends on. */
enum {
    SIZED = 1,    /* bit 0 of the opcode: 0 for bytes, 1 for WIDE */
    WIDE = 2,     /* the size that prefixes choose */
    PORT = 4,     /* SIZED, but never 8 bytes */
    MEMORY = 8,   /* ModRM: a register and a place in memory */
    CONTROL = 16, /* ModRM: a control and a general register */
    BYTE = 32,    /* an immediate byte */
    FULL = 64,    /* one as wide as the operand, 4 bytes at most */
    GROUP = 128   /* as GROUP_(n): only where ModRM.reg is n */
};
#define GROUP_(n) (GROUP | (n) << 8)

static const struct encoding {
    uint32_t opcode;
    uint16_t form;
    uint8_t kind;
} encodings[] = {
    {0x88, SIZED | MEMORY, INSN_MOV},
    {0x86, SIZED | MEMORY, INSN_XCHG},
    {0x08, SIZED | MEMORY, INSN_OR},
    {0x20, SIZED | MEMORY, INSN_AND},
    {0x6c, PORT, INSN_INS},
    {0x6e, PORT, INSN_OUTS},
    {0x80, SIZED | MEMORY | FULL | GROUP_(1), INSN_OR},
    {0x80, SIZED | MEMORY | FULL | GROUP_(4), INSN_AND},
    {0x83, WIDE | MEMORY | BYTE | GROUP_(1), INSN_OR},
    {0x83, WIDE | MEMORY | BYTE | GROUP_(4), INSN_AND},
    {0xc6, SIZED | MEMORY | FULL | GROUP_(0), INSN_MOV},
    {0xe4, PORT | BYTE, INSN_IN},
    {0xe6, PORT | BYTE, INSN_OUT},
    {0xec, PORT, INSN_IN},
    {0xee, PORT, INSN_OUT},
    {0xfa, 0, INSN_CLI},
    {0xfb, 0, INSN_STI},
    {0x0f01d1, 0, INSN_XSETBV},
    {0x0f06, 0, INSN_CLTS},
    {0x0f09, 0, INSN_WBINVD},
    {0x0f20, CONTROL, INSN_READ_CR},
    {0x0f22, CONTROL, INSN_WRITE_CR},
    {0x0f30, 0, INSN_WRMSR},
    {0x0f32, 0, INSN_RDMSR},
    {0x0fab, WIDE | MEMORY, INSN_BTS},
    {0x0fb0, SIZED | MEMORY, INSN_CMPXCHG},
    {0x0fb3, WIDE | MEMORY, INSN_BTR},
    {0x0fba, WIDE | MEMORY | BYTE | GROUP_(5), INSN_BTS},
    {0x0fba, WIDE | MEMORY | BYTE | GROUP_(6), INSN_BTR},
};

struct decoder {
    uint8_t bytes[2 * INSN_MAX_LENGTH]; /* the second half is zeros */
    unsigned at;
    uint8_t rex;
    bool operand_prefix; /* 66 */
};

static uint8_t next_byte(struct decoder *d)
{
    return d->bytes[d->at++];
}

/* A number of 1, 2 or 4 bytes, sign-extended. */
static uint64_t next_signed(struct decoder *d, unsigned size)
{
    unsigned spare = 64 - 8 * size;
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)next_byte(d) << (8 * i);
    return (uint64_t)((int64_t)(value << spare) >> spare);
}

/* Eats all prefixes; the first byte of the opcode. */
static uint8_t take_prefixes(struct decoder *d, bool *is_repeated)
{
    for (;; d->rex = 0) { /* which counts only right before the opcode */
        uint8_t byte = next_byte(d);

        for (; (byte & 0xf0) == 0x40; byte = next_byte(d))
            d->rex = byte;
        if (byte == 0x66)
            d->operand_prefix = true;
        else if (byte == 0xf2 || byte == 0xf3)
            *is_repeated = true;
        /* es, cs, ss, ds: flat; lock: Mica's store is always as if locked */
        else if ((byte & 0xe7) != 0x26 && byte != 0xf0)
            return byte;
    }
}

static const struct encoding *find_encoding(const struct decoder *d,
                                            uint32_t opcode)
{
    unsigned group = GROUP_(d->bytes[d->at] >> 3 & 7); /* of a ModRM byte */

    for (size_t i = 0; i < ARRAY_LEN(encodings); i++) {
        const struct encoding *e = &encodings[i];
        uint32_t size_bit = e->form & (SIZED | PORT) ? 1 : 0;

        if (e->opcode == (opcode & ~size_bit) &&
            (!(e->form & GROUP) || (e->form & GROUP_(7)) == group))
            return e;
    }
    return NULL;
}

static uint8_t operand_size(const struct decoder *d, uint32_t opcode,
                            unsigned form)
{
    if (!(form & (SIZED | WIDE | PORT)))
        return 8;
    if (form & (SIZED | PORT) && !(opcode & 1))
        return 1;
    if (d->rex & REX_W && !(form & PORT))
        return 8;
    return d->operand_prefix ? 2 : 4;
}

/* The operands of a ModRM byte; -EINVAL for those that have no business here. */
static int take_operands(struct decoder *d, unsigned form, struct insn *out)
{
    uint8_t modrm = next_byte(d);
    unsigned mod = modrm >> 6, base = modrm & 7;

    out->reg = (modrm >> 3 & 7) | (d->rex & REX_R ? 8 : 0);
    if (form & CONTROL) {
        out->rm = (modrm & 7) | (d->rex & REX_B ? 8 : 0);
        return 0;
    }
    if (mod == 3)
        return -EINVAL;
    if (base == 4) /* a SIB byte */
        base = next_byte(d) & 7;
    if (mod == 1)
        d->at += 1;
    else if (mod == 2 || base == 5)
        d->at += 4;
    return 0;
}

/*
 * Decodes the instruction at the start of `length` bytes. 0; -EINVAL for one
 * that is not among enum insn_kind, that is longer than INSN_MAX_LENGTH, or
 * that the bytes do not hold completely.
 */
int insn_decode(struct insn *out, const uint8_t *bytes, size_t length)
{
    struct decoder d = {.at = 0};
    const struct encoding *e;
    uint32_t opcode;

    length = min_u64(length, INSN_MAX_LENGTH);
    memcpy(d.bytes, bytes, length);
    memset(out, 0, sizeof(*out));
    opcode = take_prefixes(&d, &out->is_repeated);
    while (opcode == 0x0f || opcode == 0x0f01)
        opcode = opcode << 8 | next_byte(&d);
    e = find_encoding(&d, opcode);
    if (!e)
        return -EINVAL;
    out->kind = e->kind;
    out->size = operand_size(&d, opcode, e->form);
    out->has_immediate = e->form & (BYTE | FULL);
    if (e->form & (MEMORY | CONTROL) && take_operands(&d, e->form, out))
        return -EINVAL;
    if (out->has_immediate)
        out->immediate = next_signed(
            &d, e->form & FULL ? (unsigned)min_u64(out->size, 4) : 1);
    if (out->size == 1 && !out->has_immediate && !d.rex && out->reg >= 4)
        return -EINVAL; /* ah, ch, dh or bh */
    out->length = (uint8_t)d.at;
    return d.at > length ? -EINVAL : 0;
}

/* General register `number`, as encodings number them. */
uint64_t *insn_reg(struct regs *r, unsigned number)
{
    uint64_t *const in_order[] = {
        &r->rax, &r->rcx, &r->rdx, &r->rbx, &r->rsp, &r->rbp, &r->rsi, &r->rdi,
        &r->r8,  &r->r9,  &r->r10, &r->r11, &r->r12, &r->r13, &r->r14, &r->r15,
    };

    return in_order[number & 15];
}

/*
 * Stores the low `size` bytes of `value` in a register as an instruction
 * does: 4 bytes clear the upper half, fewer leave the rest alone.
 */
void insn_merge(uint64_t *reg, uint64_t value, unsigned size)
{
    uint64_t mask = insn_operand_mask(size);
    uint64_t kept = size < 4 ? *reg & ~mask : 0;

    *reg = kept | (value & mask);
}

/* The source operand of `i`, as many bits of it as the operand has. */
uint64_t insn_operand_read(const struct insn *i, struct regs *r)
{
    return (i->has_immediate ? i->immediate : *insn_reg(r, i->reg)) &
           insn_operand_mask(i->size);
}
