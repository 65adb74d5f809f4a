/* Says where libcurl would connect to, and what it would say first, without connecting anywhere.
 *
 * A question is a line of values separated by U+001F: a URL, then each of the variables below, as `-` where it
 * is not set and as `+VALUE` where it is. The answer is a line: `error`, `socket`, or what was dialled and how: kind,
 * host, port, login in hexadecimal. What libcurl writes goes into a socket of our own, whose other end has
 * answered already as a SOCKS5 server would that wants a login. */
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const variables[] = {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY",
                                        "all_proxy",  "ALL_PROXY",  "no_proxy",    "NO_PROXY"};
enum { COUNT = sizeof variables / sizeof *variables };

static int other;      /* the far end of the socket */
static int is_unix;    /* whether a Unix socket was dialled */
static int port;       /* what was dialled */
static char host[512]; /* what was looked up for it */

static curl_socket_t dial(void *data, curlsocktype purpose, struct curl_sockaddr *address) {
    static const char answer[] = {5, 2, 1, 0};
    int ends[2];
    (void)data, (void)purpose;
    is_unix = address->family == AF_UNIX;
    if (is_unix || other >= 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
        return CURL_SOCKET_BAD;
    port = ntohs(address->family == AF_INET6 ? ((struct sockaddr_in6 *)&address->addr)->sin6_port
                                             : ((struct sockaddr_in *)&address->addr)->sin_port);
    other = ends[1];
    if (write(other, answer, sizeof answer) != sizeof answer || shutdown(other, SHUT_WR))
        exit(2);
    return ends[0];
}

/* libcurl 7.88 connects even where it is told that a socket is connected already: here nothing is. */
int connect(int socket, const struct sockaddr *address, socklen_t length) {
    (void)socket, (void)address, (void)length;
    return 0;
}

/* The first name that is looked up is the one that is dialled. */
static int note(CURL *easy, curl_infotype type, char *text, size_t size, void *data) {
    static const char before[] = "Hostname ", after[] = " was found in DNS cache";
    (void)easy, (void)data;
    if (type != CURLINFO_TEXT || *host || size < sizeof before || strncmp(text, before, sizeof before - 1))
        return 0;
    for (size_t at = sizeof before - 1; at + sizeof after <= size; at++)
        if (!strncmp(text + at, after, sizeof after - 1)) {
            snprintf(host, sizeof host, "%.*s", (int)(at - sizeof before + 1), text + sizeof before - 1);
            break;
        }
    return 0;
}

static void hex(const char *bytes, size_t length) {
    for (size_t at = 0; at < length; at++)
        printf("%02x", (unsigned char)bytes[at]);
}

/* The login of a field `Proxy-Authorization: Basic`. */
static void basic(const char *head) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *field = strstr(head, "Proxy-Authorization: Basic ");
    unsigned value = 0;
    int bits = 0;
    if (!field) {
        putchar('-');
        return;
    }
    putchar('+');
    for (field += 27; *field && *field != '\r' && *field != '='; field++) {
        value = value << 6 | (unsigned)(strchr(digits, *field) - digits);
        bits += 6;
        if (bits >= 8)
            printf("%02x", value >> (bits -= 8) & 0xff);
    }
}

static void say(const char *said, size_t length) {
    if (is_unix) {
        puts("socket");
        return;
    }
    if (length == 0 || !*host) {
        puts("error");
        return;
    }
    if (said[0] == 0x16) {
        printf("tls\x1f%s\x1f%d\x1f?\n", host, port);
    } else if (said[0] == 4 && length > 8) {
        int is_4a = !said[4] && !said[5] && !said[6] && said[7];
        printf("socks4%s\x1f%s\x1f%d\x1f+", is_4a ? "a" : "", host, port);
        hex(said + 8, strlen(said + 8));
        putchar('\n');
    } else if (said[0] == 5 && length > 5) {
        const char *login = said + 2 + said[1], *rest = login + 2 + login[1];
        const char *request = rest + 1 + rest[0];
        printf("socks5%s\x1f%s\x1f%d\x1f+", request[3] == 3 ? "h" : "", host, port);
        hex(login + 2, (size_t)login[1]);
        printf("3a");
        hex(rest + 1, (size_t)rest[0]);
        putchar('\n');
    } else {
        printf("http\x1f%s\x1f%d\x1f", host, port);
        basic(said);
        putchar('\n');
    }
}

int main(void) {
    static char line[65536], said[65536];
    static const char *const entries[] = {"*:0:127.0.0.1",    "*:80:127.0.0.1",   "*:443:127.0.0.1",
                                          "*:1080:127.0.0.1", "*:3128:127.0.0.1", "*:8080:127.0.0.1",
                                          "*:8443:127.0.0.1", "*:65535:127.0.0.1"};
    struct curl_slist *names = NULL;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    for (size_t entry = 0; entry < sizeof entries / sizeof *entries; entry++)
        names = curl_slist_append(names, entries[entry]);
    while (fgets(line, sizeof line, stdin)) {
        CURL *easy = curl_easy_init();
        char *rest = line, *url;
        ssize_t length = 0;
        line[strcspn(line, "\n")] = 0;
        url = strsep(&rest, "\x1f");
        for (int at = 0; at < COUNT; at++) {
            char *value = strsep(&rest, "\x1f");
            if (!value)
                return 3;
            *value == '+' ? setenv(variables[at], value + 1, 1) : unsetenv(variables[at]);
        }
        other = -1;
        is_unix = 0;
        *host = 0;
        curl_easy_setopt(easy, CURLOPT_URL, url);
        curl_easy_setopt(easy, CURLOPT_RESOLVE, names);
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, dial);
        curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, note);
        curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_PROXY_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
        curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, NULL);
        curl_easy_perform(easy);
        if (other >= 0) {
            length = recv(other, said, sizeof said - 1, MSG_DONTWAIT);
            said[length > 0 ? length : 0] = 0;
        }
        say(said, length > 0 ? (size_t)length : 0);
        curl_easy_cleanup(easy);
        if (other >= 0)
            close(other);
    }
    return 0;
}
