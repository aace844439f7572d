#!/bin/sh
# An agent in shell: containers with persistent volumes through the commands of cofferdam, a crash in the middle, and
# the recovery from it.
set -eu

usage() {
    cat <<'EOF'
Starts containers, each with a persistent volume and all with one that they share, changes their volumes while they run,
loses its own commands to SIGKILL, recovers, stops all, and checks that nothing is left but the data of the volumes:

  examples/agent.sh [OPTIONS] [ROOTFS]

  --containers N       how many (default: 50)
  --work-dir WORK      where sandboxes and volumes are (default: a new directory, removed at the end)
  --runtime-dir RUN    where the state of containers is kept (default: the same)
  --cofferdam PROGRAM  the program (default: the one in PATH, or in target/ of the workspace)
  --help

ROOTFS is a root filesystem with a shell (default: what examples/busybox-rootfs.sh makes). It needs root. WORK becomes a
mount point, and stays one; to leave the host as it is, use a mount namespace:

  unshare --mount --propagation private examples/agent.sh
EOF
}

fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

say() {
    printf '%s\n' "$*"
}

examples=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
containers=50
work='' run='' rootfs='' cofferdam=''
while [ $# -gt 0 ]; do
    case $1 in
    --help | -h) usage && exit 0 ;;
    --containers | --work-dir | --runtime-dir | --cofferdam)
        [ $# -ge 2 ] || fail "$1 needs a value (see --help)"
        case $1 in
        --containers) containers=$2 ;;
        --work-dir) work=$2 ;;
        --runtime-dir) run=$2 ;;
        --cofferdam) cofferdam=$2 ;;
        esac
        shift 2
        ;;
    -*) fail "there is no option $1 (see --help)" ;;
    *)
        [ -z "$rootfs" ] || fail "there can be one root filesystem only (see --help)"
        rootfs=$1
        shift
        ;;
    esac
done
case $containers in
'' | *[!0-9]* | 0*) fail "--containers must be a positive number: $containers" ;;
esac
[ "$(id -u)" -eq 0 ] || fail "containers need root"
for candidate in "$(command -v cofferdam || :)" "$examples/../target/release/cofferdam" "$examples/../target/debug/cofferdam"; do
    [ -n "$cofferdam" ] || [ ! -x "$candidate" ] || cofferdam=$candidate
done
[ -n "$cofferdam" ] || fail "there is no cofferdam: cargo build -p cofferdam-cli makes one"
[ -n "$rootfs" ] || rootfs=$("$examples/busybox-rootfs.sh")

# The agent's own files, and the default of what was not given. At an end that was not foreseen containers may be left:
# then nothing is removed.
own=$(mktemp -d)
chmod 755 "$own"
launched=''
at_exit() {
    status=$?
    # shellcheck disable=SC2086
    [ -z "$launched" ] || kill -KILL $launched 2>/dev/null || :
    [ $status -eq 0 ] || printf '%s: what there is was left in %s\n' "${0##*/}" "$own $work $run" >&2
}
trap at_exit EXIT
trap 'exit 1' HUP INT TERM
remove_work='' remove_run=''
[ -n "$work" ] || { work=$own/work && mkdir "$work" && remove_work=yes; }
[ -n "$run" ] || { run=$own/run && mkdir "$run" && remove_run=yes; }
work=$(CDPATH='' cd -- "$work" && pwd -P)

# In the background, so that the process is cofferdam itself: `become launch ... &`
become() {
    command=$1
    shift
    exec "$cofferdam" "$command" --work-dir "$work" --runtime-dir "$run" "$@"
}

agent() {
    (become "$@")
}

numbers() {
    number=1
    while [ "$number" -le "$containers" ]; do
        say "$number"
        number=$((number + 1))
    done
}

sandbox() {
    say "$work/slaves/agent/frameworks/shell/executors/c$1/runs/c$1"
}

# A persistent volume as a resource: its id and its name in the sandbox.
volume() {
    printf '{"name": "disk", "reservations": [{"role": "web"}], "disk": {"persistence": {"id": "%s"},
        "volume": {"container_path": "%s", "mode": "RW"}}}' "$1" "$2"
}

# The two volumes of a container.
resources() {
    printf '[%s, %s]' "$(volume "own-$1" own)" "$(volume shared shared)"
}

prepare() {
    mkdir -p "$(sandbox "$1")" "$work/volumes/roles/web/own-$1" "$work/volumes/roles/web/shared"
    printf '{"directory": "%s", "rootfs": "%s", "resources": %s}' "$(sandbox "$1")" "$rootfs" "$(resources "$1")" |
        agent prepare --id "c$1" >"$own/launch-info"
}

# What a container does until it is stopped: it writes to its volumes, and says so.
program='echo $$ >>shared/starts && echo started >>own/log && : >ready && while :; do sleep 1; done'

launch() {
    rm -f "$(sandbox "$1")/ready"
    become launch --id "c$1" -- /bin/sh -c "$program" &
    launched="$launched $!"
}

wait_for() {
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ $tries -lt 600 ] || fail "waited in vain: $*"
        sleep 0.1
    done
}

all_have() {
    for id in $(numbers); do
        [ -e "$(sandbox "$id")/$1" ] || return 1
    done
}

# The mounts at and below the two directories.
mounts() {
    while read -r _ _ _ _ point rest; do
        case $point/ in
        "$work"/* | "$run"/*) say "$point $rest" ;;
        esac
    done </proc/self/mountinfo
}

number_of() {
    agent list --json | grep -o "\"status\":\"$1\"" | grep -c . || :
}

expect() {
    [ "$2" = "$3" ] || fail "$1: $2 was expected, and it is $3"
}

agent create
mounts >"$own/mounts"
[ -z "$(agent list --json | grep '"id"' || :)" ] || fail "$run has containers already"
say "$containers containers"
for id in $(numbers); do
    prepare "$id"
done
expect "prepared containers" "$containers" "$(number_of prepared)"
for id in $(numbers); do
    launch "$id"
done
wait_for all_have ready
expect "running containers" "$containers" "$(number_of running)"

say "their own volumes go, and come back"
printf '[]' >"$own/none"
printf '[%s]' "$(volume shared shared)" >"$own/shared"
for id in $(numbers); do
    agent update --id "c$id" <"$own/shared"
    [ ! -e "$(sandbox "$id")/own/log" ] || fail "container c$id still has its volume"
done
for id in $(numbers); do
    resources "$id" | agent update --id "c$id"
    [ -e "$(sandbox "$id")/own/log" ] || fail "container c$id has not got its volume back"
done

say "a crash: all that runs is killed, and so are commands that are under way"
for id in $(numbers); do
    case $((id % 4)) in
    0) become update --id "c$id" <"$own/none" 2>>"$own/crash" & ;;
    1) become update --id "c$id" <"$own/shared" 2>>"$own/crash" & ;;
    2) become cleanup --id "c$id" 2>>"$own/crash" & ;;
    3) become state --id "c$id" >>"$own/crash" 2>&1 & ;;
    esac
    launched="$launched $!"
done
# shellcheck disable=SC2086
kill -KILL $launched 2>/dev/null || :
# shellcheck disable=SC2086
wait $launched 2>/dev/null || :
launched=''

none_runs() {
    [ "$(number_of running)" -eq 0 ]
}
wait_for none_runs
agent recover </dev/null >"$own/recovered"
say "recovered: $(agent list --json | grep -o '"status"' | grep -c .) are known"

say "some start again"
again=$(numbers | head -n $(((containers + 1) / 2)))
for id in $again; do
    # It may have lost volumes, or be gone: nobody knows how far the commands came.
    agent cleanup --id "c$id"
    prepare "$id"
    launch "$id"
done
all_again() {
    for id in $again; do
        [ -e "$(sandbox "$id")/ready" ] || return 1
    done
}
wait_for all_again

say "all are stopped, and cleaned up"
# shellcheck disable=SC2086
kill -TERM $launched
for process in $launched; do
    status=0
    wait "$process" || status=$?
    expect "the status of a container that was stopped" 143 "$status"
done
launched=''
for id in $(numbers); do
    agent cleanup --id "c$id" --remove-sandbox
done
agent recover </dev/null >"$own/recovered"

mounts >"$own/mounts-at-the-end"
cmp -s "$own/mounts" "$own/mounts-at-the-end" || fail "mounts are left: $(cat "$own/mounts-at-the-end")"
expect "what is listed" '[]' "$(agent list --json)"
for id in $(numbers); do
    starts=1
    for other in $again; do
        [ "$other" != "$id" ] || starts=2
    done
    expect "the starts of container c$id" "$starts" "$(grep -c started "$work/volumes/roles/web/own-$id/log")"
done
expect "all starts" $((containers + (containers + 1) / 2)) "$(grep -c . "$work/volumes/roles/web/shared/starts")"

# Only what is ours, and never what is mounted below it.
if [ -n "$remove_work" ]; then
    umount "$work"
    rm -rf --one-file-system -- "$work"
fi
[ -z "$remove_run" ] || rm -rf --one-file-system -- "$run"
rm -rf --one-file-system -- "$own"
say "nothing is left of $containers containers but their volumes"
