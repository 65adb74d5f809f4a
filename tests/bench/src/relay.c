// The floor of bulk: a relay that does nothing but splice(2) what the origin sends. A thread a
// tunnel, one request a tunnel; no CONNECT, no question who asks, no count.
// relay LISTEN-ADDRESS PORT ORIGIN-ADDRESS PORT
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LARGE = 1024 * 1024 };

static struct sockaddr_in origin;

static struct sockaddr_in address(const char *host, const char *port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    inet_pton(AF_INET, host, &at.sin_addr);
    return at;
}

// Once the bytes of the client have gone up, nothing but the origin is listened to.
static void *tunnel(void *argument) {
    int client = (int)(intptr_t)argument, server = socket(AF_INET, SOCK_STREAM, 0), ends[2];
    char request[4096];
    ssize_t length;
    if (connect(server, (struct sockaddr *)&origin, sizeof origin) == 0 && pipe(ends) == 0) {
        fcntl(ends[1], F_SETPIPE_SZ, LARGE);
        length = read(client, request, sizeof request);
        if (length > 0 && write(server, request, (size_t)length) == length) {
            while ((length = splice(server, NULL, ends[1], NULL, LARGE, 0)) > 0) {
                while (length > 0) {
                    ssize_t moved = splice(ends[0], NULL, client, NULL, (size_t)length, 0);
                    if (moved <= 0) goto end;
                    length -= moved;
                }
            }
        }
    end:
        close(ends[0]);
        close(ends[1]);
    }
    close(server);
    close(client);
    return NULL;
}

int main(int count, char **arguments) {
    if (count != 5) return 2;
    signal(SIGPIPE, SIG_IGN);
    struct sockaddr_in own = address(arguments[1], arguments[2]);
    origin = address(arguments[3], arguments[4]);
    int door = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(door, (struct sockaddr *)&own, sizeof own) != 0 || listen(door, 4096) != 0) return 1;
    for (;;) {
        int client = accept(door, NULL, NULL);
        pthread_t thread;
        if (client < 0) continue;
        if (pthread_create(&thread, NULL, tunnel, (void *)(intptr_t)client) == 0)
            pthread_detach(thread);
        else
            close(client);
    }
}
