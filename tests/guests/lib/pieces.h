/* SPDX-License-Identifier: MIT */
/* The pieces of user.S. */
#pragma once

#define PIECE(name) extern const char at_##name[], at_##name##_after[]

PIECE(int3);
PIECE(ud2);
PIECE(int80);
PIECE(int21);
PIECE(read);
PIECE(write);
PIECE(tables);
PIECE(jump);
PIECE(hlt);
PIECE(divide);
PIECE(push);
PIECE(syscall);
PIECE(load_ds);
PIECE(load_fs);
PIECE(load_gs);
PIECE(read_gs);
PIECE(nop);
PIECE(cli);
PIECE(rdmsr);
PIECE(wrmsr);
PIECE(in_byte);
PIECE(in_long);
PIECE(out_byte);
PIECE(ins);

/* In 32-bit code. */
#define PIECE_32(name) extern const char at32_##name[], at32_##name##_after[]

PIECE_32(int80);
PIECE_32(int3);
PIECE_32(ud2);
PIECE_32(read);
PIECE_32(syscall);
