r"""The constant ``sh`` program that is PID 1 of an action's container.

It waits for the agent, runs the agent's script in a child, and reports how that ended; it holds
nothing a user wrote. The kubelet rewrites ``$(X)`` and ``$$`` in commands, so neither occurs, and
the image may have nothing but a POSIX ``sh`` (a ``sleep`` is used if there is one: often at first,
when the agent is about to be there, seldom later, when the node is busy and each process costs it).
The protocol over four FIFOs:

- ``ready`` appears last, by a rename, and the agent holds it open for writing until it exits. A
  line releases the action; end-of-file means that the agent is gone, so nothing is run.
- ``done`` carries the line ``started`` and then the exit code. Only PID 1 holds it, so end-of-file
  means that the container has ended, in whatever way.
- ``log`` is the script's stdout and stderr.
- ``signal`` carries ``TERM`` or ``KILL`` for everything but PID 1;
  end-of-file (the agent died) is a ``KILL``.

Each FIFO is opened for reading and writing first: that never blocks, so neither side can wait for
ever for the other to open its end. The script's child runs in the foreground, since POSIX lets a
background child ignore SIGINT; signals therefore come from a background reader, which has ``done``
closed. Process id ``-1`` means everything in the container's own process namespace; where PID 1 has
a visible parent there is no such namespace (a test), and the process group is signalled instead.
"""

NOT_READY = 97
"""Exit code: the agent did not appear within a minute."""
NOT_RELEASED = 98
"""Exit code: the agent ended without releasing the action; no command was run."""

WRAPPER = r"""
penstock=/penstock/control
spin() {
  for i in 0 1 2 3 4 5 6 7 8 9; do for j in 0 1 2 3 4 5 6 7 8 9; do for k in 0 1 2 3 4 5 6 7 8 9; do
    for l in 0 1 2 3 4 5 6 7 8 9; do [ ! -p "$penstock/ready" ] || return 0; done
  done; done; done
}
while [ ! -p "$penstock/ready" ]; do
  if [ "$#" -ge 1200 ]; then
    echo "penstock: the agent did not start within a minute" >&2; exit 97
  fi
  if [ "$#" -lt 4 ]; then pause=0.05 units=.; elif [ "$#" -lt 12 ]; then pause=0.1 units='. .'
  else pause=0.25 units='. . . . .'; fi
  if sleep "$pause" 2>/dev/null; then set -- "$@" $units
  elif sleep 1 2>/dev/null; then set -- "$@" . . . . . . . . . . . . . . . . . . . .
  else spin; set -- "$@" .
  fi
done
set --
exec 4<>"$penstock/ready" 5<"$penstock/ready" 4>&-
exec 4<>"$penstock/signal" 6<"$penstock/signal" 4>&-
exec 3<>"$penstock/done"
echo started >&3
read -r go <&5 || exit 98
exec 5<&-
if [ "$PPID" = 0 ]; then all=-1; else all=0; fi
trap : TERM
{
  trap : TERM
  while read -r name <&6; do
    case "$name" in TERM | KILL) kill -s "$name" -- "$all" 2>/dev/null ;; esac
  done
  kill -s KILL -- "$all" 2>/dev/null
} 3>&- </dev/null &
exec 6<&-
sh "$penstock/script" </dev/null >"$penstock/log" 2>&1 3>&-
code=$?
echo "$code" >&3
exit "$code"
"""
