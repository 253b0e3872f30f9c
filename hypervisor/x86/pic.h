/* SPDX-License-Identifier: MIT */
/* The pair of 8259 interrupt controllers, which Mica does not use. */
#pragma once

void pic_disable(void);
