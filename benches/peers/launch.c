/*
 * What a launch costs at the least: makes the system calls of a list, in its order, and nothing in between.
 *
 *     launch LIST            for each line on standard input: carries the list out in a child process, waits for it,
 *                            and prints how many nanoseconds that took
 *     launch --once LIST     carries it out once
 *
 * The list is recorded from cofferdam's launcher, so that both make the same calls with the same arguments. It is read,
 * and all arguments are laid out in memory, before any clock starts. A line is one of
 *
 *     process NAME           what follows is done by this process; the first one in the list is the launcher
 *     clone FLAGS NAME       clone3(2): the child does what is listed for process NAME
 *     call NUMBER RESULT ARGUMENT...
 *
 * RESULT is what the call has to give: `ok`, `=N` (this number, such as a descriptor) or `-N` (this error). A list whose
 * calls give anything else is not the launch that was recorded, and is an error. An ARGUMENT is `=N` (a number), `<HEX`
 * (the address of these bytes), `>N` (the address of N bytes for a result) or `@HEX,HEX...` (the address of an array of
 * strings, NULL at its end). What follows a `#` is for people.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PROCESSES = 8, STEPS = 2048, ARGUMENTS = 6, CHILD = -1 };

struct step {
	long number;             /* of the system call; CHILD: clone3 of `process` */
	long arguments[ARGUMENTS];
	long result;             /* negative: -errno; any other number: exactly this, unless ... */
	int any_result;          /* ... every success will do */
	int line;                /* of the list */
	int process;
};

struct process {
	char name[64];
	int count;
	struct step steps[STEPS];
};

/* The first mismatch, told to whoever waits for the launch. */
struct failure {
	int line;
	long expected, result;
};

/* struct clone_args of linux/sched.h, as Linux 5.3 knows it. */
struct clone_arguments {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
};

static struct process processes[PROCESSES];
static int process_count;
static struct failure *failure;

static void __attribute__((noreturn, format(printf, 1, 2))) fail(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fputs("launch: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	exit(2);
}

static void *allocate(size_t size)
{
	void *memory = calloc(1, size ? size : 1);
	if (!memory)
		fail("out of memory");
	return memory;
}

static long number(const char *text, int line)
{
	char *end;
	errno = 0;
	long long value = strtoll(text, &end, 10);
	if (errno || end == text || *end)
		fail("line %d: %s is no number", line, text);
	return value;
}

/* A NUL is behind the bytes, so that they can be a string. */
static char *bytes(const char *hex, int line)
{
	size_t length = strlen(hex) / 2;
	char *result = allocate(length + 1);
	for (size_t i = 0; i < length; i++) {
		unsigned value;
		if (sscanf(hex + 2 * i, "%2x", &value) != 1)
			fail("line %d: %s is not hexadecimal", line, hex);
		result[i] = (char) value;
	}
	return result;
}

static char **strings(char *list, int line)
{
	int count = 0, capacity = 2;
	for (char *at = list; *at; at++)
		capacity += *at == ',';
	char **result = allocate(capacity * sizeof *result);
	for (char *rest = list, *item; *list && (item = strsep(&rest, ","));)
		result[count++] = bytes(item, line);
	return result;
}

static long argument(char *text, int line)
{
	switch (*text) {
	case '=':
		return number(text + 1, line);
	case '<':
		return (long) bytes(text + 1, line);
	case '>':
		return (long) allocate(number(text + 1, line));
	case '@':
		return (long) strings(text + 1, line);
	}
	fail("line %d: an argument begins with one of = < > @, not as in %s", line, text);
}

static int process_of(const char *name, int line)
{
	for (int i = 0; i < process_count; i++)
		if (!strcmp(processes[i].name, name))
			return i;
	if (process_count == PROCESSES || strlen(name) >= sizeof processes->name)
		fail("line %d: too many processes, or too long a name: %s", line, name);
	strcpy(processes[process_count].name, name);
	return process_count++;
}

static void read_result(struct step *step, const char *text, int line)
{
	if (!strcmp(text, "ok"))
		step->any_result = 1;
	else if (*text == '=')
		step->result = number(text + 1, line);
	else if (*text == '-')
		step->result = number(text, line);
	else
		fail("line %d: a result is ok, =N or -N, not %s", line, text);
}

static const char *word(char **rest, int line)
{
	const char *found = strtok_r(NULL, " \n", rest);
	if (!found)
		fail("line %d: something is missing at its end", line);
	return found;
}

static void read_list(const char *path)
{
	FILE *file = fopen(path, "r");
	if (!file)
		fail("cannot open %s: %s", path, strerror(errno));
	char *text = NULL;
	size_t size = 0;
	struct process *current = NULL;
	for (int line = 1; getline(&text, &size, file) >= 0; line++) {
		text[strcspn(text, "#")] = '\0';
		char *rest, *kind = strtok_r(text, " \n", &rest);
		if (!kind)
			continue;
		if (!strcmp(kind, "process")) {
			current = &processes[process_of(word(&rest, line), line)];
			continue;
		}
		if (!current || current->count == STEPS)
			fail("line %d: a call of no process, or too many calls", line);
		struct step *step = &current->steps[current->count++];
		step->line = line;
		if (!strcmp(kind, "clone")) {
			step->number = CHILD;
			step->arguments[0] = number(word(&rest, line), line);
			step->process = process_of(word(&rest, line), line);
			continue;
		}
		if (strcmp(kind, "call"))
			fail("line %d: neither process, clone nor call", line);
		step->number = number(word(&rest, line), line);
		read_result(step, word(&rest, line), line);
		char *item;
		for (int i = 0; (item = strtok_r(NULL, " \n", &rest)); i++) {
			if (i == ARGUMENTS)
				fail("line %d: too many arguments", line);
			step->arguments[i] = argument(item, line);
		}
	}
	free(text);
	fclose(file);
	if (!process_count)
		fail("%s has no process", path);
}

static void carry_out(int process);

static int child(void *process)
{
	carry_out((int) (long) process);
	_exit(0);
}

/* Without a copy of the memory, and so with a stack of its own. */
static long make_child_in_our_memory(uint64_t flags, int process)
{
	static char stack[64 << 10] __attribute__((aligned(16)));
	return clone(child, stack + sizeof stack, (int) flags | SIGCHLD, (void *) (long) process);
}

static long make_child(uint64_t flags, int process)
{
	if (flags & CLONE_VM)
		return make_child_in_our_memory(flags, process);
	struct clone_arguments arguments = { .flags = flags, .exit_signal = SIGCHLD };
	long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
	if (pid == 0) {
		carry_out(process);
		_exit(0);
	}
	return pid;
}

static void __attribute__((noreturn)) mismatch(const struct step *step, long result)
{
	if (!failure->line)
		*failure = (struct failure) { step->line, step->result, result };
	_exit(1);
}

static void carry_out(int process)
{
	const struct step *step = processes[process].steps, *end = step + processes[process].count;
	for (; step < end; step++) {
		const long *a = step->arguments;
		if (step->number == CHILD) {
			if (make_child(a[0], step->process) < 0)
				mismatch(step, -errno);
			continue;
		}
		long result = syscall(step->number, a[0], a[1], a[2], a[3], a[4], a[5]);
		if (result == -1)
			result = -errno;
		if (step->any_result ? result < 0 : result != step->result)
			mismatch(step, result);
	}
}

static int64_t now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

/* Gives how long it took. */
static int64_t launch(void)
{
	int status;
	int64_t begin = now();
	long pid = make_child(0, 0);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		fail("cannot make a process, or wait for it: %s", strerror(errno));
	int64_t end = now();
	if (failure->line)
		fail("the call in line %d of the list gave %ld, and not %ld, as when it was recorded", failure->line,
		     failure->result, failure->expected);
	if (status)
		fail("the launcher ended with wait status %#x", status);
	return end - begin;
}

int main(int argc, char **argv)
{
	int once = argc == 3 && !strcmp(argv[1], "--once");
	if (argc != 2 && !once)
		fail("usage: launch [--once] LIST");
	read_list(argv[argc - 1]);
	failure = mmap(NULL, sizeof *failure, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (failure == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	if (once) {
		launch();
		return 0;
	}
	puts("ready");
	fflush(stdout);
	char *text = NULL;
	size_t size = 0;
	while (getline(&text, &size, stdin) > 0) {
		printf("%lld\n", (long long) launch());
		fflush(stdout);
	}
	return 0;
}
