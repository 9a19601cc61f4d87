/* Classic BPF as seccomp(2) and SO_ATTACH_FILTER take it: which programs are well formed, and running them.
 *
 * A program has no loops (jumps lead forward alone), so it ends within its length.
 */
#include "cbpf.h"

#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/random.h>

#define SKF_AD ((uint32_t)SKF_AD_OFF)

/* Loads of bytes of a packet, and what else only a filter of packets may use. */
static bool is_packet_known(uint16_t code)
{
	switch (code) {
	case BPF_LD | BPF_H | BPF_ABS:
	case BPF_LD | BPF_B | BPF_ABS:
	case BPF_LD | BPF_W | BPF_IND:
	case BPF_LD | BPF_H | BPF_IND:
	case BPF_LD | BPF_B | BPF_IND:
	case BPF_LDX | BPF_B | BPF_MSH:
	case BPF_ALU | BPF_MOD | BPF_K:
	case BPF_ALU | BPF_MOD | BPF_X:
		return true;
	}
	return false;
}

static bool is_known(uint16_t code)
{
	switch (code) {
	case BPF_LD | BPF_W | BPF_ABS:
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM:
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
	case BPF_MISC | BPF_TAX:
	case BPF_MISC | BPF_TXA:
	case BPF_RET | BPF_K:
	case BPF_RET | BPF_A:
	case BPF_ALU | BPF_NEG:
	case BPF_JMP | BPF_JA:
		return true;
	}
	if (BPF_CLASS(code) == BPF_ALU && !(code & ~0xff)) {
		uint16_t op = BPF_OP(code);
		return op == BPF_ADD || op == BPF_SUB || op == BPF_MUL || op == BPF_DIV || op == BPF_AND ||
		       op == BPF_OR || op == BPF_XOR || op == BPF_LSH || op == BPF_RSH;
	}
	if (BPF_CLASS(code) == BPF_JMP && !(code & ~0xff)) {
		uint16_t op = BPF_OP(code);
		return op == BPF_JEQ || op == BPF_JGE || op == BPF_JGT || op == BPF_JSET;
	}
	return false;
}

/* Where a load of the call's data or of a packet may start: offsets from SKF_AD_OFF on name facts about a packet. */
static bool is_offset(uint32_t k, enum cbpf_kind kind)
{
	if (kind == CBPF_CALL)
		return k < sizeof(struct seccomp_data) && k % 4 == 0;
	return k < SKF_AD || (k - SKF_AD < SKF_AD_MAX && k % 4 == 0);
}

static bool is_sound(const struct sock_filter *insn, unsigned left, enum cbpf_kind kind)
{
	unsigned op = BPF_OP(insn->code);
	if (!is_known(insn->code) && !(kind == CBPF_PACKET && is_packet_known(insn->code)))
		return false;
	switch (BPF_CLASS(insn->code)) {
	case BPF_LD:
		if (BPF_MODE(insn->code) == BPF_ABS)
			return is_offset(insn->k, kind);
		return BPF_MODE(insn->code) != BPF_MEM || insn->k < BPF_MEMWORDS;
	case BPF_LDX:
		return BPF_MODE(insn->code) != BPF_MEM || insn->k < BPF_MEMWORDS;
	case BPF_ST:
	case BPF_STX:
		return insn->k < BPF_MEMWORDS;
	case BPF_ALU:
		if (BPF_SRC(insn->code) == BPF_X)
			return true;
		return ((op != BPF_DIV && op != BPF_MOD) || insn->k) && ((op != BPF_LSH && op != BPF_RSH) || insn->k < 32);
	case BPF_JMP:
		return op == BPF_JA ? insn->k < left : insn->jt < left && insn->jf < left;
	}
	return true;
}

/* Is every word of the scratch memory stored to, on each way there, before it is loaded? */
static bool stores_first(const struct sock_filter *code, unsigned length)
{
	static uint16_t known[BPF_MAXINSNS]; /* on all ways to an instruction that begin with a jump */
	uint16_t stored = 0;
	memset(known, 0xff, length * sizeof *known);
	for (unsigned i = 0; i < length; i++) {
		uint32_t k = code[i].k;
		stored &= known[i];
		switch (code[i].code) {
		case BPF_ST:
		case BPF_STX:
			stored |= (uint16_t)(1 << k);
			break;
		case BPF_LD | BPF_MEM:
		case BPF_LDX | BPF_MEM:
			if (!(stored >> k & 1))
				return false;
			break;
		case BPF_JMP | BPF_JA:
			known[i + 1 + k] &= stored;
			stored = 0xffff;
			break;
		default:
			if (BPF_CLASS(code[i].code) != BPF_JMP)
				break;
			known[i + 1 + code[i].jt] &= stored;
			known[i + 1 + code[i].jf] &= stored;
			stored = 0xffff;
		}
	}
	return true;
}

bool cbpf_check(const struct sock_filter *code, unsigned length, enum cbpf_kind kind)
{
	if (!length || length > BPF_MAXINSNS)
		return false;
	for (unsigned i = 0; i < length; i++)
		if (!is_sound(&code[i], length - i - 1, kind))
			return false;
	return BPF_CLASS(code[length - 1].code) == BPF_RET && stores_first(code, length);
}

unsigned cbpf_cost(const struct sock_filter *code, unsigned length)
{
	unsigned cost = 3;
	for (unsigned i = 0; i < length; i++, code++) {
		unsigned class = BPF_CLASS(code->code), op = BPF_OP(code->code);
		cost++;
		if (class == BPF_RET)
			cost += BPF_RVAL(code->code) == BPF_K;
		if (class == BPF_ALU && op == BPF_DIV && BPF_SRC(code->code) == BPF_X)
			cost += 4;
		if (class == BPF_JMP && op != BPF_JA) {
			cost += BPF_SRC(code->code) == BPF_K && (int32_t)code->k < 0;
			cost += code->jf && (code->jt || op == BPF_JSET);
		}
	}
	return cost;
}

static bool holds(uint16_t op, uint32_t a, uint32_t b)
{
	switch (op) {
	case BPF_JEQ:
		return a == b;
	case BPF_JGT:
		return a > b;
	case BPF_JGE:
		return a >= b;
	default:
		return a & b;
	}
}

/* Division by zero is for the caller to see to. */
static uint32_t compute(uint16_t op, uint32_t a, uint32_t b)
{
	switch (op) {
	case BPF_ADD:
		return a + b;
	case BPF_SUB:
		return a - b;
	case BPF_MUL:
		return a * b;
	case BPF_DIV:
		return a / b;
	case BPF_MOD:
		return a % b;
	case BPF_AND:
		return a & b;
	case BPF_OR:
		return a | b;
	case BPF_XOR:
		return a ^ b;
	case BPF_LSH:
		return a << (b & 31);
	case BPF_RSH:
		return a >> (b & 31);
	default:
		return -a;
	}
}

/* A fact about a packet (SKF_AD_*).  Messages have no device, protocol, mark or VLAN. */
static bool load_fact(uint32_t fact, uint32_t x, uint32_t *a)
{
	switch (fact) {
	case SKF_AD_IFINDEX:
	case SKF_AD_HATYPE:
		return false;
	case SKF_AD_ALU_XOR_X:
		*a ^= x;
		return true;
	case SKF_AD_RANDOM:
		return getrandom(a, sizeof *a, GRND_NONBLOCK) == sizeof *a;
	default:
		*a = 0;
		return true;
	}
}

/* Bytes of a packet, in network order; false: beyond its end. */
static bool load_bytes(const struct cbpf_input *in, uint32_t at, unsigned size, uint32_t *value)
{
	if (at > in->length || in->length - at < size)
		return false;
	*value = 0;
	for (const uint8_t *byte = (const uint8_t *)in->bytes + at; size; size--)
		*value = *value << 8 | *byte++;
	return true;
}

static bool load(const struct sock_filter *insn, const struct cbpf_input *in, const uint32_t *memory, uint32_t x,
		 uint32_t *value)
{
	unsigned size = BPF_SIZE(insn->code) == BPF_W ? 4 : BPF_SIZE(insn->code) == BPF_H ? 2 : 1;
	uint32_t k = insn->k;
	switch (BPF_MODE(insn->code)) {
	case BPF_ABS:
		if (in->kind == CBPF_CALL) {
			memcpy(value, (const char *)in->bytes + k, sizeof *value);
			return true;
		}
		return k >= SKF_AD ? load_fact(k - SKF_AD, x, value) : load_bytes(in, k, size, value);
	case BPF_IND:
		return load_bytes(in, k + x, size, value);
	case BPF_MSH: /* the length of an IPv4 header */
		if (!load_bytes(in, k, 1, value))
			return false;
		*value = (*value & 0xf) * 4;
		return true;
	case BPF_MEM:
		*value = memory[k];
		return true;
	case BPF_LEN:
		*value = in->length;
		return true;
	default:
		*value = k;
		return true;
	}
}

uint32_t cbpf_run(const struct sock_filter *code, const struct cbpf_input *in)
{
	uint32_t a = 0, x = 0, memory[BPF_MEMWORDS] = {0};
	for (;; code++) {
		uint32_t k = code->k, operand = BPF_SRC(code->code) == BPF_X ? x : k;
		switch (BPF_CLASS(code->code)) {
		case BPF_LD:
			if (!load(code, in, memory, x, &a))
				return 0;
			break;
		case BPF_LDX:
			if (!load(code, in, memory, x, &x))
				return 0;
			break;
		case BPF_ST:
			memory[k] = a;
			break;
		case BPF_STX:
			memory[k] = x;
			break;
		case BPF_ALU:
			if ((BPF_OP(code->code) == BPF_DIV || BPF_OP(code->code) == BPF_MOD) && !operand)
				return 0; /* as Linux: the program ends with 0 */
			a = compute(BPF_OP(code->code), a, operand);
			break;
		case BPF_JMP:
			if (BPF_OP(code->code) == BPF_JA)
				code += k;
			else
				code += holds(BPF_OP(code->code), a, operand) ? code->jt : code->jf;
			break;
		case BPF_RET:
			return BPF_RVAL(code->code) == BPF_A ? a : k;
		case BPF_MISC:
			if (BPF_MISCOP(code->code) == BPF_TAX)
				x = a;
			else
				a = x;
			break;
		}
	}
}

bool cbpf_allows(const struct sock_filter *code, uint32_t nr, uint32_t arch)
{
	uint32_t a = 0;
	for (;; code++) {
		switch (code->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (code->k == offsetof(struct seccomp_data, nr))
				a = nr;
			else if (code->k == offsetof(struct seccomp_data, arch))
				a = arch;
			else
				return false;
			break;
		case BPF_RET | BPF_K:
			return code->k == SECCOMP_RET_ALLOW;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= code->k;
			break;
		case BPF_JMP | BPF_JA:
			code += code->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
		case BPF_JMP | BPF_JGE | BPF_K:
		case BPF_JMP | BPF_JGT | BPF_K:
		case BPF_JMP | BPF_JSET | BPF_K:
			code += holds(BPF_OP(code->code), a, code->k) ? code->jt : code->jf;
			break;
		default:
			return false;
		}
	}
}
