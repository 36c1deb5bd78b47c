/* Where bytes come from: a serial port set to raw, a UDP socket on this machine alone. */
#include "host/record/private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

static const struct {
  int baud;
  speed_t speed;
} speeds[] = {{1200, B1200},       {2400, B2400},       {4800, B4800},       {9600, B9600},
              {19200, B19200},     {38400, B38400},     {57600, B57600},     {115200, B115200},
              {230400, B230400},   {460800, B460800},   {500000, B500000},   {576000, B576000},
              {921600, B921600},   {1000000, B1000000}, {1152000, B1152000}, {1500000, B1500000},
              {2000000, B2000000}, {2500000, B2500000}, {3000000, B3000000}, {4000000, B4000000}};

static bool find_speed(int baud, speed_t *speed, struct err *e) {
  for (size_t i = 0; i < sizeof speeds / sizeof speeds[0]; i++)
    if (speeds[i].baud == baud) return *speed = speeds[i].speed, true;
  return err_set(
      e,
      "no serial port has %d baud; 9600, 57600, 115200, 230400, 460800, 921600, 1000000 and "
      "2000000 are usual",
      baud);
}

static int fail(int fd, const char *port, struct err *e) {
  err_file(e, port);
  if (fd >= 0) close(fd);
  return -1;
}

int record_open_serial(const char *port, int baud, struct err *e) {
  speed_t speed = B115200;
  struct termios t;
  if (!find_speed(baud, &speed, e)) return fail(-1, port, e);
  const int fd = open(port, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) {
    err_set(e, "cannot be opened: %s%s", strerror(errno),
            errno == ENOENT
                ? "; is the board plugged in? `ls /dev/ttyACM* /dev/ttyUSB*` shows ports"
            : errno == EACCES ? "; the port's group (often dialout) may open it"
            : errno == EBUSY  ? "; another program has it open"
                              : "");
    return fail(-1, port, e);
  }
  if (!isatty(fd) || tcgetattr(fd, &t) != 0) {
    err_set(e, "this is no serial port; --stdin takes files and pipes");
    return fail(fd, port, e);
  }
  cfmakeraw(&t);
  t.c_cflag |= CLOCAL | CREAD; /* no modem lines: a board has none */
  t.c_cflag &= ~(tcflag_t)(CSTOPB | CRTSCTS);
  if (cfsetispeed(&t, speed) != 0 || cfsetospeed(&t, speed) != 0 ||
      tcsetattr(fd, TCSANOW, &t) != 0) {
    err_set(e, "cannot be set to %d baud: %s", baud, strerror(errno));
    return fail(fd, port, e);
  }
  tcflush(fd, TCIFLUSH); /* what lay in the buffer has no time of arrival */
  return fd;
}

int record_open_udp(int port, int *bound, struct err *e) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  char name[40];
  snprintf(name, sizeof name, "127.0.0.1:%d", port);
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0) {
    err_set(e, "cannot be listened to: %s%s", strerror(errno),
            errno == EADDRINUSE ? "; another program does, another port is free" : "");
    return fail(fd, name, e);
  }
  int room = 1 << 20; /* a burst of datagrams waits here while the machine is busy */
  (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  socklen_t size = sizeof address;
  *bound =
      getsockname(fd, (struct sockaddr *)&address, &size) == 0 ? ntohs(address.sin_port) : port;
  return fd;
}
