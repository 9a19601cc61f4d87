/* Classic BPF on struct seccomp_data. */
#ifndef RUNSC_CBPF_H
#define RUNSC_CBPF_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>

/* Whether Linux would take it as a filter of calls: known instructions, jumps and loads in bounds, a return last. */
bool cbpf_check(const struct sock_filter *code, unsigned length);
/* How many instructions of its own Linux makes of a program that passed: what its limits are in. */
unsigned cbpf_cost(const struct sock_filter *code, unsigned length);
/* What a program that passed says of a call. */
uint32_t cbpf_run(const struct sock_filter *code, const struct seccomp_data *data);
/* Whether it allows the call whatever its arguments are, as far as is easy to see. */
bool cbpf_allows(const struct sock_filter *code, uint32_t nr, uint32_t arch);

#endif
