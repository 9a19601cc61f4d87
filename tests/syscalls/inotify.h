/* What inotify(7) tells, as text. */
#ifndef INOTIFY_H
#define INOTIFY_H

#include <sys/inotify.h>

static char buffer[65536] __attribute__((aligned(8)));

/* What has happened, as "wd:NAMES[/name] ...", each event's bits in fixed order, cookies only checked in pairs. */
static inline const char *events(int fd)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} names[] = {
		{ IN_ACCESS, "access" }, { IN_MODIFY, "modify" }, { IN_ATTRIB, "attrib" },
		{ IN_CLOSE_WRITE, "close_write" }, { IN_CLOSE_NOWRITE, "close" }, { IN_OPEN, "open" },
		{ IN_MOVED_FROM, "from" }, { IN_MOVED_TO, "to" }, { IN_CREATE, "create" },
		{ IN_DELETE, "delete" }, { IN_DELETE_SELF, "delete_self" }, { IN_MOVE_SELF, "move_self" },
		{ IN_UNMOUNT, "unmount" }, { IN_Q_OVERFLOW, "overflow" }, { IN_IGNORED, "ignored" },
		{ IN_ISDIR, "dir" },
	};
	static char text[4096];
	ssize_t length = read(fd, buffer, sizeof(buffer));
	uint32_t cookie = 0;
	size_t used = 0;

	text[0] = '\0';
	if (length == -1) {
		CHECK_EQ(errno, EAGAIN);
		return text;
	}
	for (char *at = buffer; at < buffer + length;) {
		struct inotify_event *event = (void *)at;

		used += snprintf(text + used, sizeof(text) - used, "%s%d:", used ? " " : "", event->wd);
		for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
			if (event->mask & names[i].bit)
				used += snprintf(text + used, sizeof(text) - used, "%s%s", names[i].name,
						 event->mask & (names[i].bit ^ -(1U << 30)) && i < 15 &&
						 event->mask & IN_ISDIR ? "+" : "");
		if (event->len)
			used += snprintf(text + used, sizeof(text) - used, "/%s", event->name);
		CHECK(used < sizeof(text));
		if (event->mask & IN_MOVED_FROM)
			cookie = event->cookie;
		if (event->mask & IN_MOVED_TO && cookie)
			CHECK_EQ(event->cookie, cookie);
		if (!(event->mask & (IN_MOVED_FROM | IN_MOVED_TO)))
			CHECK_EQ(event->cookie, 0);
		CHECK_EQ(event->len % sizeof(*event), 0);
		at += sizeof(*event) + event->len;
	}
	return text;
}

static inline int watching(const char *path, uint32_t mask)
{
	int fd = CHECK_OK(inotify_init1(IN_NONBLOCK));

	CHECK_EQ(inotify_add_watch(fd, path, mask), 1);
	return fd;
}

#endif
