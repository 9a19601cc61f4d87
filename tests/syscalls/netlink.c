/* Netlink sockets: names, messages to the kernel and between programs, rtnetlink, and requests about interfaces. */
#include "harness.h"
#include "fixtures.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static char buffer[65536];

static struct sockaddr_nl address(uint32_t port, uint32_t groups)
{
	return (struct sockaddr_nl){ .nl_family = AF_NETLINK, .nl_pid = port, .nl_groups = groups };
}

static int open_netlink(int protocol)
{
	return CHECK_OK(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
}

static int bind_to(int fd, uint32_t port, uint32_t groups)
{
	struct sockaddr_nl name = address(port, groups);

	return bind(fd, (struct sockaddr *)&name, sizeof(name));
}

static struct sockaddr_nl name_of(int fd)
{
	struct sockaddr_nl name;
	socklen_t length = sizeof(name);

	CHECK_OK(getsockname(fd, (struct sockaddr *)&name, &length));
	CHECK_EQ(length, sizeof(name));
	CHECK_EQ(name.nl_family, AF_NETLINK);
	return name;
}

/* Sends one request, a header and this body, to the kernel. */
static void ask(int fd, int type, int flags, const void *body, size_t length)
{
	struct nlmsghdr *header = (void *)buffer;

	memset(buffer, 0, 256);
	*header = (struct nlmsghdr){ .nlmsg_len = NLMSG_LENGTH(length), .nlmsg_type = type,
				     .nlmsg_flags = NLM_F_REQUEST | flags, .nlmsg_seq = 7 };
	memcpy(NLMSG_DATA(header), body, length);
	CHECK_EQ(send(fd, buffer, header->nlmsg_len, 0), header->nlmsg_len);
}

static struct nlmsghdr *answer(int fd)
{
	CHECK(recv(fd, buffer, sizeof(buffer), 0) >= (ssize_t)sizeof(struct nlmsghdr));
	return (void *)buffer;
}

/* The error in an answer that must be an error, or 0 where it is an acknowledgement. */
static int refusal(int fd)
{
	struct nlmsghdr *header = answer(fd);

	CHECK_EQ(header->nlmsg_type, NLMSG_ERROR);
	CHECK_EQ(header->nlmsg_seq, 7);
	return -((struct nlmsgerr *)NLMSG_DATA(header))->error;
}

CASE(socket_knows_types_and_protocols, "netlink(7)")
{
	CHECK_ERR(socket(AF_NETLINK, SOCK_STREAM, NETLINK_ROUTE), ESOCKTNOSUPPORT);
	CHECK_ERR(socket(AF_NETLINK, SOCK_SEQPACKET, NETLINK_ROUTE), ESOCKTNOSUPPORT);
	CHECK_ERR(socket(AF_NETLINK, SOCK_RAW, 32), EPROTONOSUPPORT);
	CHECK_ERR(socket(AF_NETLINK, SOCK_RAW, -1), EPROTONOSUPPORT);
	CHECK_OK(socket(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE));
	CHECK_OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT));
	CHECK_ERR(socketpair(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, (int *)buffer), EOPNOTSUPP);
}

CASE(bind_to_0_takes_the_process_id_first, "netlink(7)")
{
	int first = open_netlink(NETLINK_ROUTE), second = open_netlink(NETLINK_ROUTE);

	CHECK_EQ(name_of(first).nl_pid, 0);
	CHECK_OK(bind_to(first, 0, 0));
	CHECK_EQ(name_of(first).nl_pid, getpid());
	CHECK_OK(bind_to(second, 0, 0));
	CHECK((int32_t)name_of(second).nl_pid < 0);
	CHECK_ERR(bind_to(open_netlink(NETLINK_ROUTE), getpid(), 0), EADDRINUSE);
	CHECK_OK(bind_to(open_netlink(NETLINK_KOBJECT_UEVENT), getpid(), 0));
	CHECK_OK(close(first));
	CHECK_OK(bind_to(open_netlink(NETLINK_ROUTE), getpid(), 0));
}

CASE(bind_errors, "netlink(7)")
{
	int fd = open_netlink(NETLINK_ROUTE);
	struct sockaddr_nl name = address(0, 0);

	CHECK_ERR(bind(fd, (struct sockaddr *)&name, sizeof(name) - 1), EINVAL);
	name.nl_family = AF_UNIX;
	CHECK_ERR(bind(fd, (struct sockaddr *)&name, sizeof(name)), EINVAL);
	CHECK_OK(bind_to(fd, 0, RTMGRP_LINK));
	CHECK_EQ(name_of(fd).nl_groups, RTMGRP_LINK);
	CHECK_OK(bind_to(fd, getpid(), RTMGRP_LINK | RTMGRP_IPV4_IFADDR));
	CHECK_EQ(name_of(fd).nl_groups, RTMGRP_LINK | RTMGRP_IPV4_IFADDR);
	CHECK_ERR(bind_to(fd, getpid() + 1, 0), EINVAL);
	CHECK_ERR(listen(fd, 1), EOPNOTSUPP);
	CHECK_ERR(accept(fd, NULL, NULL), EOPNOTSUPP);
	CHECK_ERR(shutdown(fd, SHUT_RDWR), EOPNOTSUPP);
}

CASE(peer_is_the_kernel_unless_connected, "netlink(7)")
{
	int fd = open_netlink(NETLINK_ROUTE);
	struct sockaddr_nl peer = address(9, 9);
	socklen_t length = sizeof(peer);

	CHECK_OK(getpeername(fd, (struct sockaddr *)&peer, &length));
	CHECK_EQ(peer.nl_pid, 0);
	CHECK_EQ(length, sizeof(peer));
	peer = address(0, 0);
	CHECK_ERR(connect(fd, (struct sockaddr *)&peer, 4), EINVAL);
	CHECK_OK(connect(fd, (struct sockaddr *)&peer, sizeof(peer)));
	CHECK_EQ(name_of(fd).nl_pid, getpid());
}

CASE(only_the_privileged_write_to_others_over_route, "netlink(7)")
{
	int fd = open_netlink(NETLINK_ROUTE);
	struct sockaddr_nl other = address(12345, 0);

	if (geteuid() == 0) {
		CHECK_ERR(sendto(fd, "x", 1, 0, (struct sockaddr *)&other, sizeof(other)), ECONNREFUSED);
	} else {
		CHECK_ERR(sendto(fd, "x", 1, 0, (struct sockaddr *)&other, sizeof(other)), EPERM);
		CHECK_ERR(connect(fd, (struct sockaddr *)&other, sizeof(other)), EPERM);
	}
}

CASE(send_errors, "netlink(7)")
{
	int fd = open_netlink(NETLINK_ROUTE);
	struct sockaddr_nl to = address(0, 0);

	CHECK_ERR(send(fd, "x", 1, MSG_OOB), EOPNOTSUPP);
	CHECK_ERR(recv(fd, buffer, 1, MSG_OOB), EOPNOTSUPP);
	CHECK_ERR(send(fd, "", 0, 0), ENODATA);
	CHECK_ERR(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to) - 1), EINVAL);
	to.nl_family = AF_UNIX;
	CHECK_ERR(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), EINVAL);
	CHECK_ERR(recv(fd, buffer, 1, MSG_DONTWAIT), EAGAIN);
	/* Less than a header is taken and not answered. */
	CHECK_EQ(send(fd, "xyz", 3, 0), 3);
	CHECK_ERR(recv(fd, buffer, 1, MSG_DONTWAIT), EAGAIN);
}

CASE(programs_talk_over_usersock, "netlink(7)")
{
	int one = open_netlink(NETLINK_USERSOCK), other = open_netlink(NETLINK_USERSOCK);
	struct sockaddr_nl name, from;
	struct pollfd entry = { .fd = other, .events = POLLIN };
	socklen_t length = sizeof(from);

	CHECK_OK(bind_to(one, 0, 0));
	CHECK_OK(bind_to(other, 0, 0));
	name = name_of(other);
	CHECK_EQ(poll(&entry, 1, 0), 0);
	CHECK_EQ(sendto(one, "hello", 5, 0, (struct sockaddr *)&name, sizeof(name)), 5);
	CHECK_EQ(poll(&entry, 1, 0), 1);
	CHECK_EQ(recv(other, buffer, 2, MSG_PEEK | MSG_TRUNC), 5);
	CHECK_EQ(recvfrom(other, buffer, 100, 0, (struct sockaddr *)&from, &length), 5);
	CHECK_EQ(from.nl_pid, name_of(one).nl_pid);
	CHECK(memcmp(buffer, "hello", 5) == 0);
	name.nl_pid = 1;
	CHECK_ERR(sendto(one, "hello", 5, 0, (struct sockaddr *)&name, sizeof(name)), ECONNREFUSED);
}

CASE(options_are_kept, "netlink(7)")
{
	static const int switches[] = { NETLINK_PKTINFO, NETLINK_BROADCAST_ERROR, NETLINK_NO_ENOBUFS,
					NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK };
	int fd = open_netlink(NETLINK_ROUTE), value;
	socklen_t length;

	for (size_t i = 0; i < sizeof(switches) / sizeof(*switches); i++) {
		for (int on = 1; on >= 0; on--) {
			CHECK_OK(setsockopt(fd, SOL_NETLINK, switches[i], &on, sizeof(on)));
			length = sizeof(value);
			CHECK_OK(getsockopt(fd, SOL_NETLINK, switches[i], &value, &length));
			CHECK_EQ(value, on);
		}
	}
	value = 1;
	CHECK_ERR(setsockopt(fd, SOL_NETLINK, 99, &value, sizeof(value)), ENOPROTOOPT);
	length = sizeof(value);
	CHECK_ERR(getsockopt(fd, SOL_NETLINK, 99, &value, &length), ENOPROTOOPT);
	CHECK_OK(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &value, sizeof(value)));
	CHECK_EQ(name_of(fd).nl_groups, 1);
	CHECK_OK(setsockopt(fd, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, &value, sizeof(value)));
	CHECK_EQ(name_of(fd).nl_groups, 0);
	value = 0;
	CHECK_ERR(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &value, sizeof(value)), EINVAL);
	value = 1000;
	CHECK_ERR(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &value, sizeof(value)), EINVAL);
	length = sizeof(value);
	CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &value, &length));
	CHECK_EQ(value, AF_NETLINK);
	CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &length));
	CHECK_EQ(value, SOCK_RAW);
	CHECK_OK(getsockopt(open_netlink(NETLINK_KOBJECT_UEVENT), SOL_SOCKET, SO_PROTOCOL, &value, &length));
	CHECK_EQ(value, NETLINK_KOBJECT_UEVENT);
}

CASE(unknown_requests_are_not_supported, "netlink(7)")
{
	struct rtgenmsg body = { .rtgen_family = AF_UNSPEC };
	int fd = open_netlink(NETLINK_ROUTE);
	struct nlmsghdr *header;

	ask(fd, 4242, 0, &body, sizeof(body));
	header = answer(fd);
	CHECK_EQ(header->nlmsg_type, NLMSG_ERROR);
	CHECK_EQ(header->nlmsg_pid, getpid());
	CHECK_EQ(((struct nlmsgerr *)NLMSG_DATA(header))->error, -EOPNOTSUPP);
	CHECK_EQ(((struct nlmsgerr *)NLMSG_DATA(header))->msg.nlmsg_type, 4242);
	/* Control messages and what is not a request are acknowledged where that is asked for. */
	ask(fd, NLMSG_NOOP, 0, &body, sizeof(body));
	CHECK_ERR(recv(fd, buffer, 1, MSG_DONTWAIT), EAGAIN);
	ask(fd, NLMSG_NOOP, NLM_F_ACK, &body, sizeof(body));
	CHECK_EQ(refusal(fd), 0);
}

CASE(links_are_dumped_loopback_first, "rtnetlink(7)")
{
	struct ifinfomsg body = { .ifi_family = AF_UNSPEC }, *link;
	int fd = open_netlink(NETLINK_ROUTE), left;
	struct nlmsghdr *header;
	struct rtattr *attribute;
	bool named = false, mtu = false;
	struct sockaddr_nl from;
	socklen_t length = sizeof(from);

	ask(fd, RTM_GETLINK, NLM_F_DUMP, &body, sizeof(body));
	CHECK(recvfrom(fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &length) > 0);
	CHECK_EQ(from.nl_pid, 0);
	header = (void *)buffer;
	CHECK_EQ(header->nlmsg_type, RTM_NEWLINK);
	CHECK_EQ(header->nlmsg_flags, NLM_F_MULTI);
	CHECK_EQ(header->nlmsg_seq, 7);
	CHECK_EQ(header->nlmsg_pid, getpid());
	link = NLMSG_DATA(header);
	CHECK_EQ(link->ifi_index, 1);
	CHECK_EQ(link->ifi_type, ARPHRD_LOOPBACK);
	CHECK_EQ(link->ifi_flags, IFF_UP | IFF_LOOPBACK | IFF_RUNNING | 0x10000);
	left = IFLA_PAYLOAD(header);
	for (attribute = IFLA_RTA(link); RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
		if (attribute->rta_type == IFLA_IFNAME)
			named = strcmp(RTA_DATA(attribute), "lo") == 0;
		if (attribute->rta_type == IFLA_MTU)
			mtu = *(uint32_t *)RTA_DATA(attribute) == 65536;
	}
	CHECK(named && mtu);
	do
		header = answer(fd);
	while (header->nlmsg_type == RTM_NEWLINK);
	CHECK_EQ(header->nlmsg_type, NLMSG_DONE);
	CHECK(header->nlmsg_flags & NLM_F_MULTI);
}

CASE(one_link_is_found_by_index_or_name, "rtnetlink(7)")
{
	struct {
		struct ifinfomsg link;
		struct rtattr head;
		char name[4];
	} body = { .link = { .ifi_index = 1 } };
	int fd = open_netlink(NETLINK_ROUTE);

	ask(fd, RTM_GETLINK, 0, &body.link, sizeof(body.link));
	CHECK_EQ(answer(fd)->nlmsg_type, RTM_NEWLINK);
	body.link.ifi_index = 0;
	ask(fd, RTM_GETLINK, 0, &body.link, sizeof(body.link));
	CHECK_EQ(refusal(fd), EINVAL);
	body.link.ifi_index = 4711;
	ask(fd, RTM_GETLINK, 0, &body.link, sizeof(body.link));
	CHECK_EQ(refusal(fd), ENODEV);
	body.link.ifi_index = 0;
	body.head = (struct rtattr){ .rta_len = RTA_LENGTH(3), .rta_type = IFLA_IFNAME };
	strcpy(body.name, "lo");
	ask(fd, RTM_GETLINK, 0, &body, sizeof(body));
	CHECK_EQ(((struct ifinfomsg *)NLMSG_DATA(answer(fd)))->ifi_index, 1);
	strcpy(body.name, "xy");
	ask(fd, RTM_GETLINK, NLM_F_ACK, &body, sizeof(body));
	CHECK_EQ(refusal(fd), ENODEV);
}

CASE(loopback_has_its_address, "rtnetlink(7)")
{
	struct ifaddrmsg body = { .ifa_family = AF_INET }, *found;
	int fd = open_netlink(NETLINK_ROUTE), left;
	struct nlmsghdr *header;
	struct rtattr *attribute;
	bool local = false;

	ask(fd, RTM_GETADDR, NLM_F_DUMP, &body, sizeof(body));
	header = answer(fd);
	CHECK_EQ(header->nlmsg_type, RTM_NEWADDR);
	found = NLMSG_DATA(header);
	CHECK_EQ(found->ifa_family, AF_INET);
	CHECK_EQ(found->ifa_prefixlen, 8);
	CHECK_EQ(found->ifa_scope, RT_SCOPE_HOST);
	CHECK_EQ(found->ifa_index, 1);
	left = IFA_PAYLOAD(header);
	for (attribute = IFA_RTA(found); RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
		if (attribute->rta_type == IFA_LOCAL)
			local = memcmp(RTA_DATA(attribute), "\x7f\0\0\x01", 4) == 0;
	CHECK(local);
}

CASE(changes_need_CAP_NET_ADMIN, "rtnetlink(7)")
{
	struct ifinfomsg link = { .ifi_index = 4711 };
	struct ifaddrmsg body = { .ifa_family = AF_INET, .ifa_index = 1, .ifa_prefixlen = 33 };
	int fd = open_netlink(NETLINK_ROUTE);

	ask(fd, RTM_NEWADDR, 0, &body, sizeof(body));
	CHECK_EQ(refusal(fd), geteuid() == 0 ? EINVAL : EPERM);
	ask(fd, RTM_SETLINK, 0, &link, sizeof(link));
	CHECK_EQ(refusal(fd), geteuid() == 0 ? ENODEV : EPERM);
	link.ifi_index = 1;
	ask(fd, RTM_DELLINK, 0, &link, sizeof(link));
	CHECK_EQ(refusal(fd), geteuid() == 0 ? EOPNOTSUPP : EPERM);
}

/* As user 1000, with no capability in effect. */
static void act_as_user(uid_t user)
{
	CHECK_OK(seteuid(user));
}

CASE(whoever_opened_the_socket_needs_it_too, "rtnetlink(7)")
{
	struct ifinfomsg link = { .ifi_index = 4711 };
	int fd;

	NEEDS_ROOT();
	act_as_user(1000);
	fd = open_netlink(NETLINK_ROUTE);
	act_as_user(0);
	ask(fd, RTM_SETLINK, 0, &link, sizeof(link));
	CHECK_EQ(refusal(fd), EPERM);
	fd = open_netlink(NETLINK_ROUTE);
	act_as_user(1000);
	ask(fd, RTM_SETLINK, 0, &link, sizeof(link));
	CHECK_EQ(refusal(fd), EPERM);
	act_as_user(0);
	ask(fd, RTM_SETLINK, 0, &link, sizeof(link));
	CHECK_EQ(refusal(fd), ENODEV);
}

CASE(interfaces_have_names_and_indices, "netdevice(7)")
{
	int fd = CHECK_OK(socket(AF_UNIX, SOCK_DGRAM, 0));
	struct ifreq request = { .ifr_name = "lo" };

	CHECK_EQ(if_nametoindex("lo"), 1);
	CHECK_STREQ(if_indextoname(1, buffer), "lo");
	CHECK_OK(ioctl(fd, SIOCGIFINDEX, &request));
	CHECK_EQ(request.ifr_ifindex, 1);
	CHECK_OK(ioctl(fd, SIOCGIFFLAGS, &request));
	CHECK_EQ(request.ifr_flags, IFF_UP | IFF_LOOPBACK | IFF_RUNNING);
	CHECK_OK(ioctl(fd, SIOCGIFMTU, &request));
	CHECK_EQ(request.ifr_mtu, 65536);
	CHECK_OK(ioctl(fd, SIOCGIFHWADDR, &request));
	CHECK_EQ(request.ifr_hwaddr.sa_family, ARPHRD_LOOPBACK);
	CHECK_OK(ioctl(fd, SIOCGIFTXQLEN, &request));
	CHECK_EQ(request.ifr_qlen, 1000);
	CHECK_OK(ioctl(open_netlink(NETLINK_ROUTE), SIOCGIFMTU, &request));
	strcpy(request.ifr_name, "none");
	CHECK_ERR(ioctl(fd, SIOCGIFINDEX, &request), ENODEV);
	CHECK_ERR(ioctl(fd, SIOCGIFINDEX, unmapped()), EFAULT);
	request.ifr_ifindex = 4711;
	CHECK_ERR(ioctl(fd, SIOCGIFNAME, &request), ENODEV);
}

CASE(interface_list_is_as_long_as_the_room_for_it, "netdevice(7)")
{
	struct ifreq entries[2];
	struct ifconf list = { .ifc_len = 0, .ifc_req = NULL };
	int fd = CHECK_OK(socket(AF_UNIX, SOCK_DGRAM, 0));

	CHECK_OK(ioctl(fd, SIOCGIFCONF, &list));
	CHECK(list.ifc_len >= (int)sizeof(*entries) && list.ifc_len % sizeof(*entries) == 0);
	list = (struct ifconf){ .ifc_len = sizeof(*entries), .ifc_req = entries };
	CHECK_OK(ioctl(fd, SIOCGIFCONF, &list));
	CHECK_EQ(list.ifc_len, sizeof(*entries));
	CHECK_STREQ(entries[0].ifr_name, "lo");
	CHECK_EQ(entries[0].ifr_addr.sa_family, AF_INET);
	list.ifc_len = sizeof(*entries) - 1;
	CHECK_OK(ioctl(fd, SIOCGIFCONF, &list));
	CHECK_EQ(list.ifc_len, 0);
}
