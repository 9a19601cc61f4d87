/* Extended attributes: mostly the errors that programs such as ls and tar rely on. */
#include "harness.h"
#include "fixtures.h"

#include <sys/xattr.h>

static char value[256];

CASE(attribute_that_is_not_there_gives_ENODATA_or_EOPNOTSUPP, "getxattr(2)")
{
	int fd = make_file("file", "");

	CHECK_EQ(getxattr("file", "user.missing", value, sizeof(value)), -1);
	CHECK(errno == ENODATA || errno == EOPNOTSUPP);
	CHECK_EQ(fgetxattr(fd, "user.missing", value, sizeof(value)), -1);
	CHECK(errno == ENODATA || errno == EOPNOTSUPP);
	CHECK_EQ(getxattr("file", "system.posix_acl_access", value, sizeof(value)), -1);
	CHECK(errno == ENODATA || errno == EOPNOTSUPP);
}

CASE(namespace_that_does_not_exist_gives_EOPNOTSUPP, "xattr(7)")
{
	put_file("file", "");
	CHECK_ERR(getxattr("file", "nonsense.name", value, sizeof(value)), EOPNOTSUPP);
	CHECK_ERR(setxattr("file", "nonsense.name", "x", 1, 0), EOPNOTSUPP);
	CHECK_ERR(removexattr("file", "nonsense.name"), EOPNOTSUPP);
}

CASE(path_and_descriptor_errors, "getxattr(2)")
{
	CHECK_ERR(getxattr("missing", "user.name", value, sizeof(value)), ENOENT);
	CHECK_ERR(listxattr("missing", value, sizeof(value)), ENOENT);
	CHECK_ERR(removexattr("missing", "user.name"), ENOENT);
	CHECK_ERR(fgetxattr(999, "user.name", value, sizeof(value)), EBADF);
	CHECK_ERR(flistxattr(999, value, sizeof(value)), EBADF);
}

CASE(listing_has_no_user_attributes_at_first, "listxattr(2)")
{
	ssize_t length;

	put_file("file", "");
	length = listxattr("file", value, sizeof(value));
	if (length == -1)
		CHECK_EQ(errno, EOPNOTSUPP);
	for (ssize_t at = 0; at < length; at += strlen(value + at) + 1)
		CHECK(strncmp(value + at, "user.", 5) != 0);
}

CASE(attribute_is_read_back_where_they_are_supported, "setxattr(2)")
{
	put_file("file", "");
	if (setxattr("file", "user.colour", "green", 5, 0) == -1) {
		CHECK_EQ(errno, EOPNOTSUPP);
		return;
	}
	CHECK_EQ(getxattr("file", "user.colour", NULL, 0), 5);
	CHECK_EQ(getxattr("file", "user.colour", value, sizeof(value)), 5);
	CHECK(memcmp(value, "green", 5) == 0);
	CHECK_ERR(getxattr("file", "user.colour", value, 4), ERANGE);
	CHECK_ERR(setxattr("file", "user.colour", "red", 3, XATTR_CREATE), EEXIST);
	CHECK_ERR(setxattr("file", "user.other", "red", 3, XATTR_REPLACE), ENODATA);
	CHECK_OK(removexattr("file", "user.colour"));
	CHECK_ERR(getxattr("file", "user.colour", value, sizeof(value)), ENODATA);
}

CASE(names_are_checked, "setxattr(2)")
{
	char name[300] = "user.";

	put_file("file", "");
	memset(name + 5, 'n', 294);
	CHECK_ERR(setxattr("file", name, "x", 1, 0), ERANGE);
	CHECK_ERR(setxattr("file", "", "x", 1, 0), ERANGE);
	CHECK_ERR(setxattr("file", "user.name", "x", 1, 99), EINVAL);
	CHECK_ERR(getxattr("file", unmapped(), value, sizeof(value)), EFAULT);
}

CASE(flags_and_names_are_judged_before_the_file, "setxattr(2)")
{
	CHECK_ERR(setxattr("missing", "user.x", "1", 1, 4), EINVAL);
	CHECK_ERR(setxattr("missing", "", "1", 1, 0), ERANGE);
	CHECK_ERR(getxattr("missing", "", NULL, 0), ERANGE);
	CHECK_ERR(removexattr("missing", ""), ERANGE);
	CHECK_ERR(setxattr("missing", "user.x", "1", 1, 0), ENOENT);
	CHECK_ERR(setxattr(unmapped(), "", "1", 1, 0), ERANGE);
	CHECK_ERR(getxattr(unmapped(), "", NULL, 0), ERANGE);
	CHECK_ERR(removexattr(unmapped(), ""), ERANGE);
	CHECK_ERR(fsetxattr(-1, "user.x", "1", 1, 4), EINVAL);
	CHECK_ERR(fsetxattr(-1, "user.x", unmapped(), 1, 0), EFAULT);
	CHECK_ERR(fgetxattr(-1, "", NULL, 0), ERANGE);
	CHECK_ERR(fremovexattr(-1, unmapped()), EFAULT);
	CHECK_ERR(fremovexattr(-1, "user.x"), EBADF);
}
