/* The functions behind a back-end's table (`struct pf_ops`) that each back-end has under these names. */
#ifndef OPS_H
#define OPS_H

#include "platform.h"

int op_init(int stub_fd);
void op_shutdown(void);
int op_wait(struct pf_event *event, bool block);
int op_resume(struct pf_context *ctx);
int op_interrupt(struct pf_context *ctx);
void op_kick(void);

int op_space_new(struct pf_context **ctx);
int op_space_fork(struct pf_context *ctx, struct pf_context **child);
int op_thread_new(struct pf_context *ctx, struct pf_context **thread);
void op_thread_end(struct pf_context *ctx);
int op_rseq(struct pf_context *ctx, const struct pf_rseq *rseq);
void op_confine(struct pf_context *ctx, const void *mask, size_t size);

ssize_t op_read(struct pf_context *ctx, uint64_t addr, void *buf, size_t len);
ssize_t op_write(struct pf_context *ctx, uint64_t addr, const void *buf, size_t len);
ssize_t op_readv(struct pf_context *ctx, const struct pf_iov *iov, int iovcnt, void *buf, size_t len);
ssize_t op_writev(struct pf_context *ctx, const struct pf_iov *iov, int iovcnt, const void *buf, size_t len);
int op_cmpxchg(struct pf_context *ctx, uint64_t addr, uint32_t expect, uint32_t desired, uint32_t *seen);

int op_map(struct pf_context *ctx, uint64_t addr, size_t len, int prot, int flags, int fd, off_t offset);
int op_unmap(struct pf_context *ctx, uint64_t addr, size_t len);
int op_protect(struct pf_context *ctx, uint64_t addr, size_t len, int prot);
int op_remap(struct pf_context *ctx, uint64_t old, size_t old_len, size_t new_len, int flags,
	     uint64_t target);
int op_advise(struct pf_context *ctx, uint64_t addr, size_t len, int advice);
int op_sync(struct pf_context *ctx, uint64_t addr, size_t len, int flags);

ssize_t op_get_fpu(struct pf_context *ctx, void *buf, size_t size);
int op_set_fpu(struct pf_context *ctx, const void *buf, size_t size);
size_t op_fpu_size(void);
int op_reset_fpu(struct pf_context *ctx);

#endif
