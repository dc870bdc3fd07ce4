"""What is known of programs and builtins: which of their words are code.

A program that is not named here gets a value as one argument: what it makes of it is its own
matter. Those that are named run code, or run other programs; of their words, what is not known to
be data is refused.
"""

import re
from typing import NamedTuple


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SHELLS = _words(
    """
    sh bash dash ash rbash ksh mksh lksh pdksh zsh yash posh hush csh tcsh fish rc es elvish nu
    xonsh pwsh powershell oil osh
    """
)
"""Programs that read the language of this package, or one like it."""

_PYTHON = re.compile(r"-[bBdEIOqsSuvx]+")
_NO_OPTIONS = re.compile(r"(?!)")
INTERPRETERS = {
    "python": _PYTHON, "pypy": _PYTHON, "perl": re.compile(r"-[wWTt]+"),
    "ruby": re.compile(r"-[wW]+"),
    "node": _NO_OPTIONS, "nodejs": _NO_OPTIONS, "php": _NO_OPTIONS, "lua": _NO_OPTIONS,
    "luajit": _NO_OPTIONS,
    "tclsh": _NO_OPTIONS, "rscript": _NO_OPTIONS, "Rscript": _NO_OPTIONS,
}  # fmt: skip
"""Programs that run a file, with the harmless options before it.

Those take no argument and leave what follows as it is.
"""

EVALUATORS = _words(
    """
    sed gsed awk gawk mawk nawk yq gojq make gmake bmake ninja just task rake m4 bc dc ed ex vi
    vim nvim emacs ssh rsh mosh slogin scp sftp rsync psql mysql mariadb sqlite sqlplus mongo
    mongosh redis-cli cqlsh clickhouse-client osascript R julia octave ghci runghc scala groovy
    groovysh kotlin jshell irb erl elixir iex gdb lldb expect wish ansible ansible-playbook
    ansible-console crontab at batch screen tmux parallel watch script su runuser sg newgrp npx
    bun bunx pnpx nix-shell socat telnet deno jjs cscript gomplate swift ocaml sbcl
    clisp guile racket scheme gnuplot pdb ipython jupyter
    """
)
"""Programs any argument of which may be code: expressions, recipes, remote commands."""
AMBIGUOUS = _words(
    """
    R at batch screen script watch expect task just ed ex dc bc rc es nu oil scheme
    """
)
"""Names of these that are too common as words to tell anything where they are no command."""

# Programs whose text is in a language of its own. The use of a variable there is up to that
# language.
_OTHER_LANGUAGES = _words(
    """
    sed gsed awk gawk mawk nawk yq gojq jq make gmake bmake ninja just task rake m4 bc dc ed ex vi
    vim nvim emacs psql mysql mariadb sqlite sqlplus mongo mongosh redis-cli cqlsh
    clickhouse-client osascript R julia octave ghci runghc scala groovy groovysh kotlin jshell
    irb erl elixir iex gdb lldb expect wish telnet deno jjs cscript gomplate swift ocaml sbcl
    clisp guile racket scheme gnuplot pdb ipython jupyter
    """
)

PLAIN = _words(
    """
    echo : true false cat ls mkdir rmdir rm cp mv ln touch chmod chown grep egrep fgrep head
    tail cut tr wc uniq tee basename dirname realpath readlink date sleep stat test sha256sum
    md5sum base64 diff cmp printenv seq ping cd exit return kill shift umask pwd type which
    times break continue envsubst
    """
)
"""Programs and builtins that take any words as data."""

BUILTINS = _words(
    """
    alias unalias let declare typeset read unset mapfile readarray complete compgen compopt fc
    bind enable hash getopts wait jobs history shopt ulimit dirs pushd popd disown caller
    suspend logout local export readonly set eval . source trap times chdir
    """
)
"""Builtins with words that some shell evaluates.

Such a word is a name with a subscript, or an option that runs something.
"""

ASSIGNING = frozenset({"export", "readonly", "local"})


class Wrapper(NamedTuple):
    """How a program that runs its arguments tells its own from theirs."""

    flags: str = ""
    """Options without an argument: letters, or whole words that begin with ``--``."""
    valued: str = ""
    """Options with one."""
    operands: int = 0
    """How many words of its own come before the command."""
    takes_assignments: bool = False


WRAPPERS = {
    "env": Wrapper("i --ignore-environment", "u --unset C --chdir", takes_assignments=True),
    "nice": Wrapper("", "n --adjustment"),
    "nohup": Wrapper(),
    "timeout": Wrapper(
        "v --verbose --foreground --preserve-status", "k --kill-after s --signal", 1
    ),
    "time": Wrapper("p"),
    "command": Wrapper("p"),
    "exec": Wrapper("c l", "a"),
    "builtin": Wrapper(),
    "sudo": Wrapper("E n H S b -preserve-env", "u g --user --group", takes_assignments=True),
    "doas": Wrapper("n", "u"),
    "setsid": Wrapper("f w c --fork --wait"),
    "stdbuf": Wrapper("", "i o e"),
    "ionice": Wrapper("t", "c n"),
    "gosu": Wrapper("", "", 1),
    "su-exec": Wrapper("", "", 1),
    "tini": Wrapper("g s v"),
    "dumb-init": Wrapper("c v"),
    "busybox": Wrapper(),
    "toybox": Wrapper(),
    "xvfb-run": Wrapper("a"),
    "fakeroot": Wrapper(),
    "strace": Wrapper("f q", "e s"),
}
"""Programs that run the command that their arguments are."""

FUZZY_WRAPPERS = _words(
    """
    chroot nsenter unshare flock taskset chrt setpriv setarch capsh systemd-run start-stop-daemon
    daemonize unbuffer dbus-run-session dbus-launch firejail proot bwrap runcon prlimit numactl
    cgexec valgrind perf ltrace gdbserver caffeinate torsocks proxychains chpst setuidgid envdir
    with-contenv s6-setuidgid linux32 linux64 tsocks eatmydata catchsegv pkexec run0 entr
    inotifywait fswatch nodemon pm2 supervisord foreman honcho concurrently
    """
)
"""Programs that run a command, of which it is not known where it begins."""
RUN_COMMANDS = {
    "run", "exec", "shell", "develop", "exec-env", "exec-file", "ssh", "tool", "x", "dlx", "task",
    "rsh", "console",
    "run-script", "start", "generate", "with-env",
}  # fmt: skip
RUN_MANAGERS = _words(
    """
    poetry pipenv uv rye hatch pdm conda mamba micromamba bundle direnv mise asdf rtx doppler op
    aws-vault aws-okta chamber sops nix vagrant pixi devbox dotenv heroku fly flyctl railway gem
    composer rbenv pyenv nvm volta corepack turbo nx lerna moon go tox nox invoke fab eb
    """
)
"""Programs that run a command under these of their commands: `poetry run`, `bundle exec`."""

CODE_FLAG = re.compile(
    r"-[A-Za-z]{0,3}[cex]|/[cC]|--?(c|command|commands|cmd|code|e|eval|evaluate|exec|exec-batch|execute|expression"
    r"|run|script|print|entrypoint|filter|compress-program|to-command|checkpoint-action|use-compress-program|rsh"
    r"|rsync-path|upload-pack|receive-pack|pager|editor|post-renderer|use-askpass|init-command|shell|script-shell"
    r"|split-string|require|import|hook|pre-hook|post-hook|deploy-hook|on-error|startup|rcfile|init-file"
    r"|execdir|ok|okdir|parameters|configure-hook|toolexec|vettool|run_under|startup-script|user-data|onchange"
    r"|on-change|then|preprocessor|formatter|plugin|load|init|prefix-command|remote-command|proxy-command)"
)
"""An option whose argument may be code or name what runs."""
NO_CODE = {
    "docker": {"-e", "-c"}, "podman": {"-e", "-c"}, "nerdctl": {"-e", "-c"}, "kubectl": {"-c"},
    "oc": {"-c"},
    "gcc": {"-c", "-x"}, "cc": {"-c", "-x"}, "clang": {"-c", "-x"}, "g++": {"-c", "-x"},
    "curl": {"-e", "-x"},
}  # fmt: skip
"""By program, those that are data all the same."""

RUNNERS = {
    "docker": {"run", "exec", "create", "compose"}, "podman": {"run", "exec", "create", "compose"},
    "nerdctl": {"run", "exec", "create", "compose"}, "kubectl": {"run", "exec", "debug"},
    "oc": {"run", "exec", "debug", "rsh"}, "crictl": {"exec"}, "ctr": {"run", "exec"},
    "lxc": {"exec"},
}  # fmt: skip
"""Programs that run a command elsewhere, under these of their commands alone."""

CONTAINER_VALUED = _words(
    """
    -e --env -v --volume -w --workdir --name -p --publish -l --label --build-arg -t --tag -u --user
    -n --namespace --network --add-host --hostname -h --memory -m --cpus -c --container --context
    --selector
    """
)
"""Options of programs that run containers whose argument is data."""

OPTION_PRONE = _words(
    """
    tar gtar bsdtar find zip unzip wget sort split java git-network man less column
    """
)
"""Programs that an option can make run something; the start of a value could be that option."""

GIT_PLAIN = _words(
    """
    add commit tag checkout switch log show rev-parse status branch describe
    reset restore rm mv diff ls-files ls-tree update-ref symbolic-ref notes merge-base
    rev-list remote
    """
)
GIT_NETWORK = _words(
    """
    clone fetch pull push ls-remote archive init merge cherry-pick
    """
)
PACKAGE_MANAGERS = {
    name: _words(
        "version install i ci publish pack view dist-tag deprecate link audit outdated add info"
    )
    for name in ("npm", "yarn", "pnpm")
}
"""Package managers, and the commands of theirs that hand no argument to a shell."""

UNARY = _words(
    """
    -n -z -e -f -d -r -w -x -s -L -h -b -c -p -S -u -g -k -O -G -N
    """
)
BINARY = _words(
    """
    = == != -eq -ne -lt -le -gt -ge -nt -ot -ef < >
    """
)
TEXTUAL = frozenset({"=", "==", "!=", "=~", "-nt", "-ot", "-ef"})
"""Operators of ``[[`` that evaluate nothing."""

_SPECIAL = _words(
    """
    ENV IFS PATH CDPATH PS0 PS1 PS2 PS3 PS4 PWD OLDPWD HOME SHELL SHELLOPTS BASHOPTS EXECIGNORE
    FCEDIT FIGNORE GLOBIGNORE GLOBSORT GROUPS IGNOREEOF INPUTRC INSIDE_EMACS LANG LANGUAGE
    LINENO LINES COLUMNS RANDOM SECONDS SRANDOM REPLY SHLVL TIMEFORMAT TMOUT UID EUID PPID
    POSIXLY_CORRECT HOSTFILE HOSTTYPE MACHTYPE OSTYPE COPROC MAPFILE DIRSTACK EDITOR VISUAL
    EPOCHSECONDS EPOCHREALTIME PAGER BROWSER MANPAGER RSYNC_RSH CVS_RSH ZDOTDIR FPATH TERM _
    MAIL MAILCHECK MAILPATH OPTARG
    OPTIND OPTERR FUNCNAME FUNCNEST CHILD_MAX auto_resume histchars KUBECONFIG KUBE_EDITOR
    DOCKER_HOST PSQLRC MYSQL_HOME VIMINIT EXINIT CC CXX LD AS MAKE HOSTALIASES MAKEFLAGS
    MAKEFILES MFLAGS GNUMAKEFLAGS RUSTC RUSTFLAGS RUSTDOC CLASSPATH PHPRC AWKPATH AWKLIBPATH
    NODE_PATH NODE_REPL_EXTERNAL_MODULE NODE_EXTRA_CA_CERTS HOSTNAME TERMINFO TERMCAP NLSPATH
    LOCPATH XDG_CONFIG_HOME XDG_CONFIG_DIRS XDG_DATA_DIRS PYTHONPATH
    """
)
_FAMILY = re.compile(
    r"(BASH|COMP_|COMPREPLY|HIST|READLINE_|PROMPT_|LC_|LD_|DYLD_|MALLOC_|GLIBC_|GCONV_|PYTHON[A-Z]|PERL5|PERLLIB"
    r"|RUBY(OPT|LIB)|LUA_|LESS|NPM_CONFIG|npm_config|YARN_|CARGO_|GO(FLAGS|PATH|ROOT|TOOLCHAIN)|PENSTOCK"
    r"|GIT_(?!(COMMIT|BRANCH|SHA|TAG|REF|REV|HASH|URL|MESSAGE|AUTHOR|COMMITTER|REPO|DESCRIBE|VERSION)))"
    r"|.*_(OPTS|OPTIONS|ASKPASS|EDITOR|PAGER|WRAPPER|PRELOAD|SHELL|RSH)\Z"
)


def is_special(name: str) -> bool:
    """Return whether a variable is special, so that its value may run.

    It means something to a shell, the loader or an interpreter.
    """
    return name in _SPECIAL or bool(_FAMILY.match(name))


def base_of(word: str) -> str:
    """Return a program's name without folder, ``.exe`` and version."""
    name = word.rpartition("/")[2].removesuffix(".exe")
    return re.sub(r"(?<=[a-z])[-_]?[0-9][0-9.]*(-dbg|m|t)?$", "", name) or name


def is_evaluator(name: str) -> bool:
    """Whether a program's name is one that runs code."""
    return name in SHELLS or name in INTERPRETERS or name in EVALUATORS


def is_other_language(name: str) -> bool:
    """Whether a program runs code that no shell reads."""
    return base_of(name) in INTERPRETERS or base_of(name) in _OTHER_LANGUAGES


def names_evaluator(text: str) -> bool:
    """Whether some part of a word is the name of a program or builtin that runs code."""
    for part in re.split(r"[\s=,{}'\";|&()]+", text):
        name = base_of(part)
        if name in AMBIGUOUS:
            continue
        if is_evaluator(name) or part in (
            "eval",
            "busybox",
            "toybox",
            "send-command",
            "run-command",
        ):
            return True
    return False
