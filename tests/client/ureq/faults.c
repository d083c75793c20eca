/*
 * Makes calls of the C library fail, for the tests in faults.rs. It works on Linux, with LD_PRELOAD.
 *
 * The variable APIKEE_FAULTS contains the path of a file. The file names the call that fails and the error number, such
 * as "connect 99". Without the file, no call fails. Each failure writes a line to standard error.
 *
 * Only connections that this process has made can fail, not connections that it has accepted.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_FDS 4096

/* The descriptors of connections that this process has made. */
static char made[MAX_FDS];

static int is_made(int fd) {
    return fd >= 0 && fd < MAX_FDS && made[fd];
}

/* The error number for the call with this name, or 0. */
static int fault(const char *name) {
    const char *path = getenv("APIKEE_FAULTS");
    char text[64] = {0};
    size_t len = strlen(name);
    int fd, error = errno, code = 0;
    if (path && (fd = open(path, O_RDONLY | O_CLOEXEC)) >= 0) {
        if (read(fd, text, sizeof text - 1) > 0 && !strncmp(text, name, len) && text[len] == ' ')
            code = atoi(text + len + 1);
        close(fd);
    }
    errno = error;
    return code;
}

static int fail(const char *name, int code) {
    char line[64] = "fault: ";
    strcat(strcat(line, name), "\n");
    if (write(2, line, strlen(line)) < 0) {}
    errno = code;
    return -1;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int socket(int domain, int type, int protocol) {
    int code = fault("socket");
    return code ? fail("socket", code) : NEXT(socket)(domain, type, protocol);
}

int connect(int fd, const struct sockaddr *addr, socklen_t len) {
    int code, type = 0;
    socklen_t size = sizeof type;
    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
    if (type == SOCK_STREAM) {
        if ((code = fault("connect")))
            return fail("connect", code);
        if (fd >= 0 && fd < MAX_FDS)
            made[fd] = 1;
    }
    return NEXT(connect)(fd, addr, len);
}

int close(int fd) {
    if (fd >= 0 && fd < MAX_FDS)
        made[fd] = 0;
    return NEXT(close)(fd);
}

ssize_t send(int fd, const void *bytes, size_t len, int flags) {
    int code = is_made(fd) ? fault("send") : 0;
    return code ? fail("send", code) : NEXT(send)(fd, bytes, len, flags);
}

ssize_t recv(int fd, void *bytes, size_t len, int flags) {
    int is_read = is_made(fd) && !(flags & MSG_PEEK), code = is_read ? fault("recv") : 0;
    if (code)
        return fail("recv", code);
    ssize_t done = NEXT(recv)(fd, bytes, len, flags);
    /* The number is a time in milliseconds. */
    if (is_read && (code = fault("recv-late"))) {
        fail("recv-late", errno);
        poll(NULL, 0, code);
    }
    return done;
}

/* As on macOS: no option can be set after the peer has closed or reset the connection. poll, unlike recv or
   SO_ERROR, does not clear the error, so the next read still gets it. */
int setsockopt(int fd, int level, int option, const void *value, socklen_t len) {
    struct pollfd peer = {.fd = fd, .events = POLLRDHUP};
    if (is_made(fd) && poll(&peer, 1, 0) == 1 && peer.revents & (POLLRDHUP | POLLHUP | POLLERR)) {
        int code = fault("setsockopt");
        if (code)
            return fail("setsockopt", code);
    }
    return NEXT(setsockopt)(fd, level, option, value, len);
}

/* A negative number is an error code of getaddrinfo itself. */
int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **found) {
    int code = fault("getaddrinfo");
    if (!code)
        return NEXT(getaddrinfo)(host, port, hints, found);
    fail("getaddrinfo", code);
    return code < 0 ? code : EAI_SYSTEM;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg) {
    int code = fault("pthread_create");
    if (!code)
        return NEXT(pthread_create)(thread, attr, start, arg);
    fail("pthread_create", code);
    return code;
}
