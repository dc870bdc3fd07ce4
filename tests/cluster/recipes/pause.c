/* What holds a pod's namespaces open: waits for ever, reaps orphans, ends when told to. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void end(int signal_number) { _exit(signal_number ? 0 : 1); }

static void reap(int signal_number) {
    while (signal_number && waitpid(-1, 0, WNOHANG) > 0) {}
}

int main(void) {
    signal(SIGINT, end);
    signal(SIGTERM, end);
    signal(SIGCHLD, reap);
    for (;;) pause();
}
