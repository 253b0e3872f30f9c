/* SPDX-License-Identifier: MIT */
/*
 * Decoding goes strictly forward over a bounded cursor; running off its end
 * is remembered and makes the whole result invalid, so that no step needs a
 * check of its own.
 */
#include "x86/insn_decode.h"

enum {
    REX_B = 1,
    REX_X = 2,
    REX_R = 4,
    REX_W = 8,
};

struct cursor {
    const uint8_t *bytes;
    unsigned at, end;
    bool overrun;
};

struct decoder {
    struct cursor in;
    struct insn *out;
    enum insn_mode mode;
    uint8_t rex;
    bool operand_prefix; /* 66 */
    bool repeat_prefix;  /* f2 or f3 */
    uint8_t modrm;
};

static uint8_t next_byte(struct cursor *c)
{
    if (c->at >= c->end) {
        c->overrun = true;
        return 0;
    }
    return c->bytes[c->at++];
}

static int32_t next_signed(struct cursor *c, unsigned size)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value |= (uint32_t)next_byte(c) << (8 * i);
    if (size == 1)
        return (int8_t)value;
    return size == 2 ? (int16_t)value : (int32_t)value;
}

static bool take_segment_prefix(struct decoder *d, uint8_t byte)
{
    switch (byte) {
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
        /* 64-bit mode ignores these four. */
        if (d->mode == INSN_MODE_32)
            d->out->segment = (enum insn_segment)(byte >> 3 & 3);
        return true;
    case 0x64:
    case 0x65:
        d->out->segment = byte == 0x64 ? INSN_FS : INSN_GS;
        return true;
    }
    return false;
}

static bool take_prefix(struct decoder *d, uint8_t byte)
{
    switch (byte) {
    case 0x66:
        d->operand_prefix = true;
        return true;
    case 0x67:
        d->out->address_size = 4;
        return true;
    case 0xf0:
        d->out->is_locked = true;
        return true;
    case 0xf2:
    case 0xf3:
        d->repeat_prefix = true;
        return true;
    }
    return take_segment_prefix(d, byte);
}

/* Eats all prefixes; the first byte of the opcode. */
static uint8_t take_prefixes(struct decoder *d)
{
    for (;;) {
        uint8_t byte = next_byte(&d->in);

        if (d->mode == INSN_MODE_64 && (byte & 0xf0) == 0x40)
            d->rex = byte;
        else if (take_prefix(d, byte))
            d->rex = 0; /* counts only right before the opcode */
        else
            return byte;
        if (d->in.overrun)
            return 0;
    }
}

static uint8_t wide_size(const struct decoder *d)
{
    if (d->rex & REX_W)
        return 8;
    return d->operand_prefix ? 2 : 4;
}

/* The size that bit 0 of most opcodes selects. */
static uint8_t size_by_opcode(const struct decoder *d, uint8_t opcode)
{
    return opcode & 1 ? wide_size(d) : 1;
}

static void take_modrm(struct decoder *d)
{
    d->modrm = next_byte(&d->in);
    d->out->reg = (d->modrm >> 3 & 7) | (d->rex & REX_R ? 8 : 0);
}

static unsigned modrm_extension(const struct decoder *d)
{
    return d->modrm >> 3 & 7;
}

static void take_sib(struct decoder *d, unsigned mod)
{
    uint8_t sib = next_byte(&d->in);
    uint8_t index = (sib >> 3 & 7) | (d->rex & REX_X ? 8 : 0);

    d->out->scale = sib >> 6;
    d->out->index = index == 4 ? INSN_NO_REGISTER : index;
    if ((sib & 7) == 5 && mod == 0)
        d->out->displacement = next_signed(&d->in, 4);
    else
        d->out->base = (sib & 7) | (d->rex & REX_B ? 8 : 0);
}

/* The memory operand behind a ModRM byte; -EINVAL when it is a register. */
static int take_memory(struct decoder *d)
{
    unsigned mod = d->modrm >> 6;
    unsigned rm = d->modrm & 7;
    struct insn *out = d->out;

    if (mod == 3 || d->mode != INSN_MODE_64)
        return -EINVAL;
    if (rm == 4) {
        take_sib(d, mod);
    } else if (rm == 5 && mod == 0) {
        out->is_rip_relative = true;
        out->displacement = next_signed(&d->in, 4);
    } else {
        out->base = (uint8_t)(rm | (d->rex & REX_B ? 8 : 0));
    }
    if (mod)
        out->displacement = next_signed(&d->in, mod == 1 ? 1 : 4);
    return 0;
}

static void take_immediate(struct decoder *d, unsigned size)
{
    d->out->has_immediate = true;
    d->out->immediate =
        (uint64_t)(int64_t)next_signed(&d->in, size > 4 ? 4 : size);
}

static int memory_from_reg(struct decoder *d, enum insn_kind kind,
                           unsigned size)
{
    d->out->kind = kind;
    d->out->size = (uint8_t)size;
    take_modrm(d);
    return take_memory(d);
}

/* Row of the one-byte arithmetic opcodes, or of ModRM.reg in group 1. */
static int arithmetic_kind(unsigned row, enum insn_kind *kind)
{
    switch (row) {
    case 0:
        *kind = INSN_ADD;
        return 0;
    case 1:
        *kind = INSN_OR;
        return 0;
    case 4:
        *kind = INSN_AND;
        return 0;
    case 5:
        *kind = INSN_SUB;
        return 0;
    case 6:
        *kind = INSN_XOR;
        return 0;
    }
    return -EINVAL;
}

/* 00 01 08 09 20 21 28 29 30 31: op r, m. */
static int decode_arithmetic(struct decoder *d, uint8_t opcode)
{
    enum insn_kind kind;

    if ((opcode & 7) > 1 || arithmetic_kind(opcode >> 3, &kind))
        return -EINVAL;
    return memory_from_reg(d, kind, size_by_opcode(d, opcode));
}

/* 80 81 83: op imm, m. */
static int decode_group1(struct decoder *d, uint8_t opcode)
{
    d->out->size = size_by_opcode(d, opcode);
    take_modrm(d);
    if (arithmetic_kind(modrm_extension(d), &d->out->kind) || take_memory(d))
        return -EINVAL;
    take_immediate(d, opcode == 0x81 ? d->out->size : 1);
    return 0;
}

/* c6 c7: mov imm, m. */
static int decode_mov_immediate(struct decoder *d, uint8_t opcode)
{
    d->out->kind = INSN_MOV;
    d->out->size = size_by_opcode(d, opcode);
    take_modrm(d);
    if (modrm_extension(d) != 0 || take_memory(d))
        return -EINVAL;
    take_immediate(d, d->out->size);
    return 0;
}

static int decode_string(struct decoder *d, enum insn_kind kind, unsigned size)
{
    d->out->kind = kind;
    d->out->size = (uint8_t)size;
    d->out->is_repeated = d->repeat_prefix;
    return 0;
}

static unsigned port_size(const struct decoder *d, uint8_t opcode)
{
    if (!(opcode & 1))
        return 1;
    return d->operand_prefix ? 2 : 4;
}

/* e4 to e7, ec to ef: the port is imm8 or dx. */
static int decode_port(struct decoder *d, uint8_t opcode)
{
    d->out->kind = opcode & 2 ? INSN_OUT : INSN_IN;
    d->out->size = (uint8_t)port_size(d, opcode);
    if (!(opcode & 8)) {
        d->out->has_immediate = true;
        d->out->immediate = next_byte(&d->in);
    }
    return 0;
}

static int decode_plain(struct decoder *d, enum insn_kind kind)
{
    d->out->kind = kind;
    d->out->size = 8;
    return 0;
}

/* 0f 20 to 23: the mod field means nothing, both operands are registers. */
static int decode_move_special(struct decoder *d, uint8_t opcode)
{
    static const uint8_t kinds[] = {INSN_READ_CR, INSN_READ_DR, INSN_WRITE_CR,
                                    INSN_WRITE_DR};

    if (d->mode != INSN_MODE_64)
        return -EINVAL;
    take_modrm(d);
    d->out->rm = (d->modrm & 7) | (d->rex & REX_B ? 8 : 0);
    return decode_plain(d, (enum insn_kind)kinds[opcode & 3]);
}

/* 0f 0b: only as the start of the forced CPUID. */
static int decode_forced_cpuid(struct decoder *d)
{
    static const uint8_t rest[] = {0x78, 0x65, 0x6e, 0x0f, 0xa2};

    if (d->in.at != 2)
        return -EINVAL; /* no prefix may precede it */
    for (unsigned i = 0; i < sizeof(rest); i++)
        if (next_byte(&d->in) != rest[i])
            return -EINVAL;
    return decode_plain(d, INSN_FORCED_CPUID);
}

/* 0f 01 */
static int decode_group7(struct decoder *d)
{
    switch (next_byte(&d->in)) {
    case 0xd1:
        return decode_plain(d, INSN_XSETBV);
    case 0xf9:
        return decode_plain(d, INSN_RDTSCP);
    }
    return -EINVAL;
}

/* 0f ba: bit operations with an immediate. */
static int decode_group8(struct decoder *d)
{
    static const uint8_t kinds[] = {INSN_BTS, INSN_BTR, INSN_BTC};

    d->out->size = wide_size(d);
    take_modrm(d);
    if (modrm_extension(d) < 5 || take_memory(d))
        return -EINVAL;
    d->out->kind = (enum insn_kind)kinds[modrm_extension(d) - 5];
    take_immediate(d, 1);
    return 0;
}

static int decode_two_byte(struct decoder *d)
{
    uint8_t opcode = next_byte(&d->in);

    switch (opcode) {
    case 0x01:
        return decode_group7(d);
    case 0x06:
        return decode_plain(d, INSN_CLTS);
    case 0x09:
        return decode_plain(d, INSN_WBINVD);
    case 0x0b:
        return decode_forced_cpuid(d);
    case 0x20:
    case 0x21:
    case 0x22:
    case 0x23:
        return decode_move_special(d, opcode);
    case 0x30:
        return decode_plain(d, INSN_WRMSR);
    case 0x31:
        return decode_plain(d, INSN_RDTSC);
    case 0x32:
        return decode_plain(d, INSN_RDMSR);
    case 0xa2:
        return decode_plain(d, INSN_CPUID);
    case 0xab:
        return memory_from_reg(d, INSN_BTS, wide_size(d));
    case 0xb0:
    case 0xb1:
        return memory_from_reg(d, INSN_CMPXCHG, size_by_opcode(d, opcode));
    case 0xb3:
        return memory_from_reg(d, INSN_BTR, wide_size(d));
    case 0xba:
        return decode_group8(d);
    case 0xbb:
        return memory_from_reg(d, INSN_BTC, wide_size(d));
    case 0xc0:
    case 0xc1:
        return memory_from_reg(d, INSN_XADD, size_by_opcode(d, opcode));
    }
    return -EINVAL;
}

static int decode_one_byte(struct decoder *d, uint8_t opcode)
{
    switch (opcode) {
    case 0x0f:
        return decode_two_byte(d);
    case 0x6c:
    case 0x6d:
        return decode_string(d, INSN_INS, port_size(d, opcode));
    case 0x6e:
    case 0x6f:
        return decode_string(d, INSN_OUTS, port_size(d, opcode));
    case 0x80:
    case 0x81:
    case 0x83:
        return decode_group1(d, opcode);
    case 0x86:
    case 0x87:
        return memory_from_reg(d, INSN_XCHG, size_by_opcode(d, opcode));
    case 0x88:
    case 0x89:
        return memory_from_reg(d, INSN_MOV, size_by_opcode(d, opcode));
    case 0xa4:
    case 0xa5:
        return decode_string(d, INSN_MOVS, size_by_opcode(d, opcode));
    case 0xaa:
    case 0xab:
        return decode_string(d, INSN_STOS, size_by_opcode(d, opcode));
    case 0xc6:
    case 0xc7:
        return decode_mov_immediate(d, opcode);
    case 0xcd:
        decode_plain(d, INSN_INT);
        d->out->has_immediate = true;
        d->out->immediate = next_byte(&d->in);
        return 0;
    case 0xe4:
    case 0xe5:
    case 0xe6:
    case 0xe7:
    case 0xec:
    case 0xed:
    case 0xee:
    case 0xef:
        return decode_port(d, opcode);
    case 0xfa:
        return decode_plain(d, INSN_CLI);
    case 0xfb:
        return decode_plain(d, INSN_STI);
    }
    return opcode < 0x38 ? decode_arithmetic(d, opcode) : -EINVAL;
}

/* Whether the LOCK prefix may stand before an instruction of this kind. */
static bool may_be_locked(enum insn_kind kind)
{
    return kind > INSN_MOV && kind < INSN_STOS;
}

/*
 * Decodes the instruction at the start of `length` bytes. 0; -EINVAL for one
 * that is not among enum insn_kind, that is longer than INSN_MAX_LENGTH, or
 * that the bytes do not hold completely.
 */
int insn_decode(struct insn *out, const uint8_t *bytes, size_t length,
                enum insn_mode mode)
{
    struct decoder d = {
        .in = {.bytes = bytes,
               .end = length < INSN_MAX_LENGTH ? (unsigned)length
                                               : INSN_MAX_LENGTH},
        .out = out,
        .mode = mode,
    };
    uint8_t opcode;
    int error;

    *out = (struct insn){
        .address_size = mode == INSN_MODE_64 ? 8 : 4,
        .segment = INSN_DS,
        .base = INSN_NO_REGISTER,
        .index = INSN_NO_REGISTER,
    };
    opcode = take_prefixes(&d);
    error = decode_one_byte(&d, opcode);
    if (error || d.in.overrun)
        return -EINVAL;
    if (out->is_locked && !may_be_locked(out->kind))
        return -EINVAL;
    if (mode != INSN_MODE_64 && insn_writes_memory(out))
        return -EINVAL;
    out->has_rex = d.rex != 0;
    out->length = (uint8_t)d.in.at;
    return 0;
}

/* Whether `i` stores to memory without being an input instruction. */
bool insn_writes_memory(const struct insn *i)
{
    return i->kind >= INSN_MOV;
}

/* The bits of an operand of `size` bytes: 1, 2, 4 or 8. */
uint64_t insn_operand_mask(unsigned size)
{
    return size >= 8 ? ~0ull : (1ull << (8 * size)) - 1;
}

/* Offsets into struct regs by the number that encodings use. */
static const uint8_t reg_offset[16] = {
    offsetof(struct regs, rax), offsetof(struct regs, rcx),
    offsetof(struct regs, rdx), offsetof(struct regs, rbx),
    offsetof(struct regs, rsp), offsetof(struct regs, rbp),
    offsetof(struct regs, rsi), offsetof(struct regs, rdi),
    offsetof(struct regs, r8),  offsetof(struct regs, r9),
    offsetof(struct regs, r10), offsetof(struct regs, r11),
    offsetof(struct regs, r12), offsetof(struct regs, r13),
    offsetof(struct regs, r14), offsetof(struct regs, r15),
};

static uint64_t *reg_slot(struct regs *r, unsigned number)
{
    return (uint64_t *)((char *)r + reg_offset[number & 15]);
}

/* The 64 bits of general register `number`, as encodings number them. */
uint64_t insn_reg_read(const struct regs *r, unsigned number)
{
    const char *base = (const char *)r;

    return *(const uint64_t *)(base + reg_offset[number & 15]);
}

/* Sets all 64 bits of general register `number`. */
void insn_reg_write(struct regs *r, unsigned number, uint64_t value)
{
    *reg_slot(r, number) = value;
}

/*
 * Stores the low `size` bytes of `value` in a register as an instruction
 * does: 4 bytes clear the upper half, fewer leave the rest alone.
 */
void insn_merge(uint64_t *reg, uint64_t value, unsigned size)
{
    uint64_t mask = insn_operand_mask(size);

    if (size >= 4)
        *reg = value & mask;
    else
        *reg = (*reg & ~mask) | (value & mask);
}

/* Whether the register operand is ah, ch, dh or bh. */
static bool is_high_byte(const struct insn *i)
{
    return i->size == 1 && !i->has_rex && i->reg >= 4 && i->reg < 8;
}

/* The source operand of `i`, as many bits of it as the operand has. */
uint64_t insn_operand_read(const struct insn *i, const struct regs *r)
{
    uint64_t mask = insn_operand_mask(i->size);

    if (i->has_immediate)
        return i->immediate & mask;
    if (is_high_byte(i))
        return insn_reg_read(r, i->reg - 4u) >> 8 & 0xff;
    return insn_reg_read(r, i->reg) & mask;
}

/* Stores `value` in the register operand of `i`. */
void insn_operand_write(const struct insn *i, struct regs *r, uint64_t value)
{
    uint64_t *slot = reg_slot(r, is_high_byte(i) ? i->reg - 4u : i->reg);

    if (is_high_byte(i))
        *slot = (*slot & ~0xff00ull) | (value & 0xff) << 8;
    else
        insn_merge(slot, value, i->size);
}

static bool is_bit_operation(enum insn_kind kind)
{
    return kind == INSN_BTS || kind == INSN_BTR || kind == INSN_BTC;
}

/* A bit number in a register reaches beyond the operand it is based on. */
static int64_t bit_displacement(const struct insn *i, const struct regs *r)
{
    uint64_t bit = insn_operand_read(i, r);
    int64_t number = (int64_t)bit;

    if (i->size == 2)
        number = (int16_t)bit;
    else if (i->size == 4)
        number = (int32_t)bit;
    return (number >> (i->size == 8 ? 6 : i->size == 4 ? 5 : 4)) * i->size;
}

/*
 * The offset of the memory operand in its segment; that of the destination
 * for string instructions. `r->rip` must still point at the instruction.
 */
uint64_t insn_offset(const struct insn *i, const struct regs *r)
{
    uint64_t offset = (uint64_t)(int64_t)i->displacement;

    if (i->kind == INSN_STOS || i->kind == INSN_MOVS)
        offset = r->rdi;
    if (i->is_rip_relative)
        offset += r->rip + i->length;
    if (i->base != INSN_NO_REGISTER)
        offset += insn_reg_read(r, i->base);
    if (i->index != INSN_NO_REGISTER)
        offset += insn_reg_read(r, i->index) << i->scale;
    if (is_bit_operation(i->kind) && !i->has_immediate)
        offset += (uint64_t)bit_displacement(i, r);
    return i->address_size == 8 ? offset : offset & 0xffffffff;
}
