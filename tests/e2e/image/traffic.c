// What the end-to-end test's pods say to each other. Each command is bounded: it ends by itself, and sends no more than it was told.
//
//   traffic pause                                 waits to be ended
//   traffic serve PORT                            answers on TCP with the number of datagrams that came to the same port on UDP
//   traffic talk ADDRESS PORT TIMES               asks a server that, so many times, and prints the last answer
//   traffic say ADDRESS PORT TIMES BYTES          sends datagrams
//   traffic scan ADDRESS FIRST LAST               connects to each port once, and prints how many were open
//   traffic flood ADDRESS PORT TIMES              sends SYN segments from forged addresses of 198.18.0.0/15 (RFC 2544), each another one

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void ended(int signal) {
    (void)signal;
    _exit(0);
}

// The first process of a container is not ended by a signal that it does not ask for.
static void end_by_signal(void) {
    signal(SIGTERM, ended);
    signal(SIGINT, ended);
}

static long number(const char *text) {
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || *end || value < 0) {
        fprintf(stderr, "%s is no number\n", text);
        exit(2);
    }
    return value;
}

static struct sockaddr_in address(const char *text, long port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, text, &to.sin_addr) != 1) {
        fprintf(stderr, "%s is no address\n", text);
        exit(2);
    }
    return to;
}

static int opened(int type, int protocol) {
    int one = socket(AF_INET, type, protocol);
    if (one < 0) die("socket");
    return one;
}

static void pause_forever(void) {
    end_by_signal();
    for (;;) {
        pause();
        while (waitpid(-1, NULL, WNOHANG) > 0) {
        }
    }
}

static void serve(long port) {
    end_by_signal();
    struct sockaddr_in here = address("0.0.0.0", port);
    int tcp = opened(SOCK_STREAM, 0), udp = opened(SOCK_DGRAM, 0), yes = 1, room = 4 << 20;
    setsockopt(tcp, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    setsockopt(udp, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (bind(tcp, (struct sockaddr *)&here, sizeof here) || bind(udp, (struct sockaddr *)&here, sizeof here) || listen(tcp, 64)) die("bind");
    long datagrams = 0;
    struct pollfd both[] = {{.fd = tcp, .events = POLLIN}, {.fd = udp, .events = POLLIN}};
    for (;;) {
        if (poll(both, 2, -1) < 0) continue;
        char text[2048];
        // All that waits, so that who asks next is told of it.
        while (recv(udp, text, sizeof text, MSG_DONTWAIT) >= 0) datagrams++;
        if (!(both[0].revents & POLLIN)) continue;
        int client = accept(tcp, NULL, NULL);
        if (client < 0) continue;
        struct timeval second = {.tv_sec = 1};
        setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
        // A scanner says nothing.
        if (read(client, text, sizeof text) > 0) {
            int length = snprintf(text, sizeof text, "%ld datagrams\n", datagrams);
            if (write(client, text, (size_t)length) < 0) perror("write");
        }
        close(client);
    }
}

static void talk(const char *to, long port, long times) {
    struct sockaddr_in server = address(to, port);
    char text[2048];
    ssize_t length = 0;
    for (long i = 0; i < times; i++) {
        int one = opened(SOCK_STREAM, 0);
        if (connect(one, (struct sockaddr *)&server, sizeof server) || write(one, "how many\n", 9) != 9) die("connect");
        length = read(one, text, sizeof text - 1);
        if (length <= 0) die("read");
        close(one);
    }
    text[length] = 0;
    fputs(text, stdout);
}

static void say(const char *to, long port, long times, long bytes) {
    struct sockaddr_in server = address(to, port);
    char text[1400] = {0};
    if (bytes > (long)sizeof text) exit(2);
    int udp = opened(SOCK_DGRAM, 0);
    for (long i = 0; i < times; i++) {
        if (sendto(udp, text, (size_t)bytes, 0, (struct sockaddr *)&server, sizeof server) < 0) die("sendto");
        // Slowly enough for any queue on the way.
        usleep(1000);
    }
}

static void scan(const char *to, long first, long last) {
    int open = 0, refused = 0;
    for (long port = first; port <= last; port++) {
        struct sockaddr_in server = address(to, port);
        int one = opened(SOCK_STREAM, 0);
        struct timeval second = {.tv_sec = 1};
        // Bounds connect as well.
        setsockopt(one, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof second);
        if (!connect(one, (struct sockaddr *)&server, sizeof server)) open++;
        else if (errno == ECONNREFUSED) refused++;
        close(one);
    }
    printf("%d open, %d refused\n", open, refused);
}

static uint16_t folded(const void *bytes, size_t length, uint32_t sum) {
    const uint8_t *at = bytes;
    for (size_t i = 0; i + 1 < length; i += 2) sum += (uint32_t)(at[i] << 8 | at[i + 1]);
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return htons((uint16_t)~sum);
}

static void flood(const char *to, long port, long times) {
    struct sockaddr_in server = address(to, port);
    int raw = opened(SOCK_RAW, IPPROTO_RAW);
    struct {
        struct iphdr ip;
        struct tcphdr tcp;
    } packet;
    for (long i = 0; i < times; i++) {
        uint32_t source = htonl(0xc6120000u + (uint32_t)i % 131072u);
        memset(&packet, 0, sizeof packet);
        packet.ip.version = 4;
        packet.ip.ihl = 5;
        packet.ip.ttl = 64;
        packet.ip.protocol = IPPROTO_TCP;
        packet.ip.saddr = source;
        packet.ip.daddr = server.sin_addr.s_addr;
        packet.ip.tot_len = htons(sizeof packet);
        packet.tcp.source = htons((uint16_t)(1024 + i / 131072));
        packet.tcp.dest = htons((uint16_t)port);
        packet.tcp.seq = htonl((uint32_t)i);
        packet.tcp.doff = 5;
        packet.tcp.syn = 1;
        packet.tcp.window = htons(1024);
        uint32_t between = (ntohl(source) >> 16) + (ntohl(source) & 0xffff) + (ntohl(packet.ip.daddr) >> 16) + (ntohl(packet.ip.daddr) & 0xffff);
        packet.tcp.check = folded(&packet.tcp, sizeof packet.tcp, between + IPPROTO_TCP + sizeof packet.tcp);
        while (sendto(raw, &packet, sizeof packet, 0, (struct sockaddr *)&server, sizeof server) < 0) {
            if (errno != ENOBUFS) die("sendto");
            usleep(100);
        }
    }
    printf("%ld sent\n", times);
}

int main(int count, char **words) {
    const char *what = count > 1 ? words[1] : "";
    if (!strcmp(what, "pause")) pause_forever();
    else if (!strcmp(what, "serve") && count == 3) serve(number(words[2]));
    else if (!strcmp(what, "talk") && count == 5) talk(words[2], number(words[3]), number(words[4]));
    else if (!strcmp(what, "say") && count == 6) say(words[2], number(words[3]), number(words[4]), number(words[5]));
    else if (!strcmp(what, "scan") && count == 5) scan(words[2], number(words[3]), number(words[4]));
    else if (!strcmp(what, "flood") && count == 5) flood(words[2], number(words[3]), number(words[4]));
    else {
        fputs("usage: traffic pause|serve|talk|say|scan|flood ...; see traffic.c\n", stderr);
        return 2;
    }
    return 0;
}
