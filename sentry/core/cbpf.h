/* Classic BPF, on struct seccomp_data and on the messages of sockets. */
#ifndef RUNSC_CBPF_H
#define RUNSC_CBPF_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>

enum cbpf_kind { CBPF_CALL, CBPF_PACKET };

/* What a program runs on. */
struct cbpf_input {
	enum cbpf_kind kind;
	const void *bytes; /* CBPF_CALL: a struct seccomp_data */
	uint32_t length;
};

/* Whether Linux would take it as such a filter: known instructions, jumps and loads in bounds, a return last. */
bool cbpf_check(const struct sock_filter *code, unsigned length, enum cbpf_kind kind);
/* How many instructions of its own Linux makes of a program that passed: what its limits are in. */
unsigned cbpf_cost(const struct sock_filter *code, unsigned length);
/* What a program that passed says; 0 where it divides by zero or loads what a packet has not. */
uint32_t cbpf_run(const struct sock_filter *code, const struct cbpf_input *in);
/* Whether it allows the call whatever its arguments are, as far as is easy to see. */
bool cbpf_allows(const struct sock_filter *code, uint32_t nr, uint32_t arch);

#endif
