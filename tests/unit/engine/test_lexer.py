"""No value is code: where references may stand in commands, judged by tables
and by running real shells.
"""

import shlex
import shutil
import subprocess
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.engine.language.shell.cursor import DEPTH
from penstock.engine.language.shell.judge import MOST_WITHIN
from penstock.engine.language.shell.lexer import MOST_CHARACTERS, LexerError, lex
from tests.fuzz import fuzz_lexer
from tests.fuzz.finding import Finding
from tests.fuzz.shell_programs import ODD, Program, values
from tests.support.properties import examples

SHELLS = (["dash"], ["bash"], ["bash", "--posix"], ["busybox", "ash"])

ORDINARY = r"""
echo #{S.Id}
echo "building #{S.Id} now"
echo 'building #{S.Id} now'
printf '%s\n' "#{S.Id}" > version.txt
printf -- '%s\n' "#{S.Id}"
docker build -t registry.example.com/app:#{S.Id} .
docker build --build-arg VERSION="#{S.Id}" -t app .
docker push registry.example.com/app:#{S.Id}
docker tag app:latest "app:#{S.Id}"
docker run --rm -e VERSION=#{S.Id} app:latest test
docker run --rm app:#{S.Id} ./smoke.sh
aws s3 cp dist "s3://bucket/#{S.Id}/" --recursive
aws ecs update-service --cluster c --service s --force-new-deployment --tags key=v,value=#{S.Id}
aws lambda update-function-code --function-name f --image-uri repo:#{S.Id}
kubectl set image deployment/web web=app:#{S.Id}
kubectl get pods -l version=#{S.Id}
kubectl rollout status deployment/web -n "#{S.Id}"
helm upgrade --install web ./chart --set image.tag=#{S.Id} --wait
terraform apply -auto-approve -var "version=#{S.Id}"
curl -fsS -d "{\"v\": \"#{S.Id}\"}" https://example.com/hook
curl -fsSL -o "app-#{S.Id}.tgz" https://example.com/app
git tag "v#{S.Id}"
git commit -m "release #{S.Id}"
git checkout "#{S.Id}"
git clone --branch "#{S.Id}" https://example.com/r.git
git push origin "refs/tags/#{S.Id}"
npm version "#{S.Id}"
npm ci && npm publish --tag "#{S.Id}"
mvn -B -Drevision=#{S.Id} package
./gradlew build -Pversion="#{S.Id}"
go build -ldflags "-X main.version=#{S.Id}" ./...
cmake -DVERSION="#{S.Id}" .
./deploy.sh #{S.Id}
sh build.sh #{S.Id}
bash -euo pipefail ./scripts/release.sh "#{S.Id}" prod
python3 -m pip install "app==#{S.Id}"
python3 release.py --version "#{S.Id}"
node scripts/release.js "#{S.Id}"
pip install "app==#{S.Id}"
sh -c 'printf %s "$1"' _ #{S.Id}
if [ "#{S.Id}" = main ]; then ./deploy.sh; else echo no; fi
[ -n "#{S.Id}" ] && echo set || echo unset
[ ! "#{S.Id}" != main ]
test "#{S.Id}" -ge 3
test "#{S.Id}" = "$(sha256sum < big)"
[[ "#{S.Id}" == main ]]
case "#{S.Id}" in main|release/*) ./deploy.sh ;; *) echo skip ;; esac
export VERSION=#{S.Id}
VERSION="#{S.Id}"
VERSION=#{S.Id} ./deploy.sh
env VERSION=#{S.Id} ./deploy.sh
sudo -n ./deploy.sh "#{S.Id}"
timeout 60 ./deploy.sh "#{S.Id}"
nohup ./serve "#{S.Id}" &
for part in #{S.Id} other; do echo "$part"; done
echo "#{S.Id}" | grep -q release
echo "#{S.Id}" | tee version.txt
echo "#{S.Id}" | tr a-z A-Z | cut -c1-8 > short.txt
echo "#{S.Id}" | sed 's/^v//'
echo "#{S.Id}" | awk '{print $1}'
echo '{"v": "x"}' | jq --arg v "#{S.Id}" '.v = $v' > out.json
SHORT=$(printf %s "#{S.Id}" | cut -c1-8) && echo "$SHORT"
cd "#{S.Id}" && ls -la
mkdir -p "out/#{S.Id}" && cp -r dist "out/#{S.Id}/"
tar czf "app-#{S.Id}.tgz" dist
set -eu; echo "${NAME:-#{S.Id}}"
N=1; echo "$((N + 1))"; : "${UNRELATED:-x}"
echo #{S.Id} # it's a comment with "
test -f "#{S.Id}.txt" || { echo "no #{S.Id}" >&2; exit 1; }
while read -r line; do echo "$line #{S.Id}"; done < list.txt
echo "#{S.Id}" | sed -n -e 's|/|-|g' | head -1
echo "#{S.Id}" | xargs -n 1 echo
echo "#{S.Id}" | xargs
find dist -name '*.js' | xargs -0 grep -l "#{S.Id}"
eval "$(ssh-agent)"; echo "#{S.Id}"
. ./env.sh; ./deploy.sh "#{S.Id}"
java -Dversion="#{S.Id}" -jar app.jar "#{S.Id}"
systemctl enable "web@#{S.Id}"
bash -lc 'echo "$1"' _ "#{S.Id}"
export TAG=#{S.Id}; envsubst '$TAG' < deployment.yaml | kubectl apply -f -
export TAG=#{S.Id}; find . -name '[a-z]*.py' -exec sed -i 's/a$/b/' {} ';'
export TAG=#{S.Id}; awk '$1 == 2 {print $2}' f; mysql -e 'select count(*) from t'
export TAG=#{S.Id}; rg -e '[a-z]+$' f; helm upgrade web . --set 'a[0]=b'
export TAG=#{S.Id}; ssh host 'for i in 1 2; do echo $i; done'
docker run -e TAG=#{S.Id} image sh -c 'echo "$TAG"'
echo "ünïcode #{S.Id}"
echo "#{S.Id}" > version && python3 build.py "$ARG"
kubectl exec web -- cat "/srv/#{S.Id}/log"
""".strip().splitlines()
BLOCKS = [
    "cat > .env <<EOF\nVERSION=#{S.Id}\nSHA=$(git rev-parse HEAD)\nEOF\nexport X=1",
    "cat <<-EOF | kubectl apply -f -\n\tname: #{S.Id}\n\tEOF\n",
    "set -e\nfor f in *.yaml; do\n  kubectl apply -f \"$f\"\ndone\necho \"done #{S.Id}\"\n",
    "deploy() {\n  aws s3 cp \"$1\" \"s3://b/$1\"\n}\ndeploy \"#{S.Id}\"\n",
    "aws s3 cp a \\\n  s3://b/#{S.Id} \\\n  --acl private",
    "if [ \"#{S.Id}\" = a ]\nthen\n  echo a\nelif [ \"#{S.Id}\" = b ]; then echo b; fi",
]  # fmt: skip


@pytest.mark.parametrize("command", [line for line in ORDINARY if "#{" in line] + BLOCKS)
def test_ordinary_use_of_a_reference_is_accepted(command: str) -> None:
    assert lex(command).variables


REFUSED = [
    # a code argument, in the ways that shells take it
    "sh -c 'echo #{S.Id}'",
    'bash -euo pipefail -c "echo #{S.Id}"',
    'bash -eo pipefail -c "echo building #{S.Id}"',
    'bash -o pipefail -c "echo #{S.Id}"',
    'bash \\\n-c "echo #{S.Id}"',
    'ba\\\nsh -c "echo #{S.Id}"',
    'bash -eEuc "echo #{S.Id}"',
    'sh 2>/dev/null -c "echo #{S.Id}"',
    "2>/dev/null sh -c #{S.Id}",
    "s''h -c #{S.Id}",
    "\\sh -c #{S.Id}",
    'su root -c "echo #{S.Id}"',
    '$SHELL -c "echo #{S.Id}"',
    '"$(command -v sh)" -c #{S.Id}',
    "sh +o posix -c #{S.Id}",
    "bash -O extglob -c #{S.Id}",
    "bash --rcfile #{S.Id} -i",
    "zsh -c #{S.Id}",
    "fish -c #{S.Id}",
    "ksh93 -c #{S.Id}",
    "bash-5.2 -c #{S.Id}",
    "/bin/s? -c #{S.Id}",
    "{sh,-c} #{S.Id}",
    "sh #{S.Id}",
    "sh -s #{S.Id}",
    "sh - < #{S.Id}",
    "sh -c 'eval \"$1\"' _ #{S.Id}",
    "sh -c '$1' _ #{S.Id}",
    "bash -c '(( $1 ))' _ #{S.Id}",
    'sh -c "$CODE" _ #{S.Id}',
    # wrappers
    *(
        f"{wrapper} sh -c #{{S.Id}}"
        for wrapper in (
            "env",
            "env -i",
            "env A=b",
            "env -u A",
            "nice",
            "nice -n 5",
            "nohup",
            "timeout 5",
            "time",
            "sudo",
            "sudo -u x",
            "doas",
            "exec",
            "command",
            "busybox",
            "setsid",
            "stdbuf -o L",
            "strace -f",
            "gosu app",
            "env -S",
            "sudo -i",
            "nosuch",
            "xargs",
            "find . -exec",
            "docker exec c",
            "docker run --rm -it i",
            "podman exec c",
            "kubectl exec p --",
            "chroot /x",
            "nsenter -t 1",
            "flock f",
            "ssh h",
            "watch",
            "parallel",
            "poetry run",
            "xvfb-run",
            "unshare",
            "tini --",
        )
    ),
    "docker run --entrypoint sh i -c #{S.Id}",
    "docker run --entrypoint=sh i -c #{S.Id}",
    "docker run --entrypoint #{S.Id} i",
    "docker exec c #{S.Id}",
    "kubectl exec p -- #{S.Id}",
    'docker compose exec app bash -lc "echo #{S.Id}"',
    "mytool 'sh -c #{S.Id}'",
    # interpreters and expressions
    "python3 -c 'print(\"#{S.Id}\")'",
    "python3.11 -c #{S.Id}",
    "python3 -Wc -c #{S.Id}",
    "python3 #{S.Id}",
    "python3 - #{S.Id}",
    "perl -e #{S.Id}",
    "perl -ne #{S.Id} f",
    "ruby -e #{S.Id}",
    "node -e #{S.Id}",
    "node --eval=#{S.Id}",
    "php -r #{S.Id}",
    "awk -v v=#{S.Id} '{print v}' f",
    "awk '{print \"#{S.Id}\"}' f",
    'sed -i "s/VERSION/#{S.Id}/" f',
    "jq '.v = \"#{S.Id}\"' f",
    "make VERSION=#{S.Id}",
    "make -C x #{S.Id}",
    "VERSION=#{S.Id} make",
    "ssh host deploy #{S.Id}",
    "rsync -a x host:/srv/#{S.Id}",
    "psql -c #{S.Id}",
    "mysql -e #{S.Id}",
    "npm run release -- #{S.Id}",
    "npx #{S.Id}",
    "ansible-playbook -e v=#{S.Id} p.yaml",
    "tar xf a.tar --checkpoint-action=exec=#{S.Id}",
    "tar xf a.tar #{S.Id}",
    "git -c core.pager=#{S.Id} log",
    "git config alias.x #{S.Id}",
    "git rebase -x #{S.Id} main",
    "git clone #{S.Id}",
    "find #{S.Id} -name x",
    "aws ssm send-command --parameters 'commands=[\"echo #{S.Id}\"]'",
    "gcloud compute ssh h --command=#{S.Id}",
    # builtins that evaluate
    "eval echo #{S.Id}",
    "command eval #{S.Id}",
    "builtin eval #{S.Id}",
    "trap 'echo #{S.Id}' EXIT",
    ". #{S.Id}",
    "source #{S.Id}",
    "alias x=#{S.Id}",
    "let x=#{S.Id}",
    "declare -i x=#{S.Id}",
    "declare #{S.Id}",
    "declare -i x; x=#{S.Id}",
    "declare -n x; x=#{S.Id}",
    "export #{S.Id}",
    "readonly a[#{S.Id}]=1",
    "unset 'a[#{S.Id}]'",
    "read #{S.Id}",
    "printf -v #{S.Id} x",
    "printf #{S.Id}",
    "printf #{S.Id} #{S.B}",
    "test -v #{S.Id}",
    "[ -v #{S.Id} ]",
    "[ #{S.Id} #{S.B} ]",
    "[ #{S.Id} #{S.B} #{S.C} ]",
    "[ -t #{S.Id} ]",
    "[[ #{S.Id} -eq 1 ]]",
    "[[ 1 -lt #{S.Id} ]]",
    "[[ -v #{S.Id} ]]",
    "[[ a == b && -v #{S.Id} ]]",
    "mapfile -C #{S.Id} -c 1 a",
    "complete -C #{S.Id} x",
    "compgen -W #{S.Id}",
    "hash -p #{S.Id} ls",
    "enable -f #{S.Id} x",
    "bind -x #{S.Id}",
    "fc -s #{S.Id}",
    "wait -p #{S.Id}",
    "coproc #{S.Id}",
    "set #{S.Id}",
    # arithmetic
    "echo $((#{S.Id} + 1))",
    "echo $(( $(echo #{S.Id}) ))",
    "echo $[#{S.Id}]",
    "((x = #{S.Id}))",
    "for ((i = #{S.Id}; i < 1; i++)); do :; done",
    "echo ${X:#{S.Id}}",
    "echo ${X:0:#{S.Id}}",
    "echo ${X[#{S.Id}]}",
    "a[#{S.Id}]=1",
    "a=([#{S.Id}]=1)",
    # the name of what runs, and what changes it
    "#{S.Id}",
    '"#{S.Id}" x',
    "./#{S.Id}",
    "V=1 #{S.Id}",
    "! #{S.Id}",
    "$(echo #{S.Id})",
    "if #{S.Id}; then :; fi",
    *(
        f"{name}=#{{S.Id}}; ls"
        for name in (
            "PS4",
            "ENV",
            "BASH_ENV",
            "PATH",
            "IFS",
            "LD_PRELOAD",
            "PROMPT_COMMAND",
            "RANDOM",
            "SECONDS",
            "OPTIND",
            "SHELLOPTS",
            "BASH_FUNC_x",
            "PYTHONSTARTUP",
            "PERL5OPT",
            "NODE_OPTIONS",
            "GIT_SSH_COMMAND",
            "EDITOR",
            "PAGER",
            "MAKEFLAGS",
            "CDPATH",
            "JAVA_TOOL_OPTIONS",
            "LESSOPEN",
            "UID",
            "HOME",
            "LINENO",
        )
    ),
    "PS4=#{S.Id} bash -xc :",
    "export PS4=#{S.Id}",
    "env BASH_ENV=#{S.Id} bash f",
    "for PS4 in #{S.Id}; do :; done",
    ": ${PS4:=#{S.Id}}",
    "read PS4 <<E\n#{S.Id}\nE",
    # through a variable, a function, a pipe, a here-document, a file
    'V=#{S.Id}; eval "$V"',
    "V=#{S.Id}; $V",
    "V=#{S.Id}; echo $((V))",
    "V=#{S.Id}; [[ $V -eq 1 ]]",
    "V=#{S.Id}; [[ V -eq 1 ]]",
    "V=#{S.Id}; echo ${!V}",
    "V=#{S.Id}; echo ${X:V}",
    "V=#{S.Id}; a[V]=1",
    'V=#{S.Id}; unset "$V"',
    'V=#{S.Id}; sh -c "$V"',
    "V=#{S.Id}; W=$V; eval $W",
    "export V=#{S.Id}; sh -c 'eval \"$V\"'",
    "V=#{S.Id} sh -c 'eval \"$V\"'",
    # in text that a shell reads, however it comes to that
    *(
        f"export V=#{{S.Id}}; {command}"
        for command in (
            *(
                f"{shell} 'eval \"$V\"'"
                for shell in (
                    "sh -c-c",
                    "sh -lc",
                    "sh -co errexit",
                    "sh +c -c",
                    "bash -O extglob -c",
                    "bash -c -O extglob",
                    "bash --rcfile x -ic",
                    "busybox sh -c-c",
                    "ksh -c",
                    "zsh -c",
                    "rbash -lc",
                    "timeout 5 sh -lc",
                    "find . -exec sh -c",
                    "xargs sh -c",
                    "flock f -c",
                    "flock f sh -c",
                    "unshare sh -c",
                    "su -c",
                    "script -qec",
                    "watch",
                    "parallel",
                    "ssh host",
                    "docker run -e V image sh -c",
                    "entr -s",
                )
            ),
            'env -S \'sh -c "eval \\"\\$V\\""\'',
            "git -c alias.x='!eval \"$V\"' x",
            "some-tool --exec='eval \"$V\"'",
            "find . -exec sh -c '((V))' ';'",
            "find . -exec bash -c '[[ V -eq 1 ]]' ';'",
        )
    ),
    "docker run -e V=#{S.Id} image sh -c 'eval \"$V\"'",
    "env V=#{S.Id} find . -exec sh -c 'eval \"$V\"' ';'",
    ": ${V:=#{S.Id}}; eval $V",
    "for v in #{S.Id}; do eval $v; done",
    'set -- #{S.Id}; eval "$1"',
    'f() { eval "$1"; }; f #{S.Id}',
    'echo() { "$@"; }; echo #{S.Id}',
    ': #{S.Id}; eval "$_"',
    "echo #{S.Id} | sh",
    "echo #{S.Id} | tee f | sudo bash -s",
    'echo #{S.Id} | { read x; eval "$x"; }',
    "echo #{S.Id} | while read x; do $x; done",
    "echo #{S.Id} | (cat | sh)",
    "echo #{S.Id} | if true; then sh; fi",
    "f() { sh; }; echo #{S.Id} | f",
    "f() { echo #{S.Id}; }; f | sh",
    "echo #{S.Id} | xargs sh -c",
    "echo #{S.Id} | xargs -I{} sh -c '{}'",
    "echo #{S.Id} | ssh host",
    "echo #{S.Id} | docker exec -i c sh",
    "echo #{S.Id} | kubectl exec -i p -- bash",
    "echo #{S.Id} | python3",
    "echo #{S.Id} | . /dev/stdin",
    "echo #{S.Id} | sh /dev/fd/0",
    "echo #{S.Id} | $SHELL",
    "echo #{S.Id} | psql",
    "echo #{S.Id} | docker build -",
    "{ echo #{S.Id}; } | sh",
    "(echo #{S.Id}) | sh",
    "sh <<E\necho #{S.Id}\nE",
    "bash <<E\necho #{S.Id}\nE",
    "python3 - <<E\n#{S.Id}\nE",
    "ssh host <<E\necho #{S.Id}\nE",
    "cat <<E | sh\n#{S.Id}\nE",
    "{ sh <&3; } 3<<E\n#{S.Id}\nE",
    "exec <<E\n#{S.Id}\nE",
    "sh < #{S.Id}",
    "echo #{S.Id} > f; sh f",
    "echo #{S.Id} > f.sh; chmod +x f.sh; ./f.sh",
    "echo #{S.Id} | tee f; . ./f",
    "xargs #{S.Id}",
    "echo #{S.Id} | xargs -I{} {}",
    "echo #{S.Id} | xargs -I rm rm",
    "echo #{S.Id} | xargs env",
    "echo #{S.Id} | xargs find . -name",
    "chroot /x #{S.Id}",
    "flock f #{S.Id}",
    "poetry run #{S.Id}",
    "bundle exec #{S.Id}",
    "go run #{S.Id}",
    "docker run --rm #{S.Id}",
    "docker run --rm i #{S.Id}",
    "docker run i tool $(echo x#{S.Id})",
    "git push origin v$(echo #{S.Id})",
    "git init #{S.Id}",
    "java #{S.Id}",
    "echo #{S.Id} | python3 -i f.py",
    "echo #{S.Id} | sed 's/x/y/e'",
    "echo #{S.Id} | sed e",
    "echo #{S.Id} | awk '{ system($0) }'",
    "echo #{S.Id} | awk '{ print | \"sh\" }'",
    "echo #{S.Id} | (cd /dev && sh stdin)",
    "echo #{S.Id} | sh /../dev/stdin",
    'time f #{S.Id}; f() { eval "$1"; }',
    "eval 'f() { eval \"$1\"; }'; f #{S.Id}",
    "eval 'alias x=eval'; echo #{S.Id}",
    "time ! trap #{S.Id} EXIT",
    "time V=1 trap #{S.Id} EXIT",
    "env V=#{S.Id} sh -c 'eval \"$V\"'",
    "exec > f; echo #{S.Id}; exec >&2; sh f",
    'echo #{S.Id} > "$F"; sh "$F"',
    "echo #{S.Id} > f; F=f; . $F",
    "echo #{S.Id} > f; $F",
    "gcloud compute instances create x --metadata startup-script=#{S.Id}",
    "X=$(cat <<E\n#{S.Id}\nE\n)",
    "mytool\u00a0sh -c x#{S.Id}",
    # expansions, quotes, and what the three shells read differently
    "echo `echo #{S.Id}`",
    "echo ${#{S.Id}}",
    "echo $#{S.Id}",
    "echo \\#{S.Id}",
    'echo "\\#{S.Id}"',
    'echo "${V%#{S.Id}}"',
    "echo ${V/#{S.Id}/x}",
    'echo "${V:-"#{S.Id}"}"',
    "echo \"${V:-'#{S.Id}'}\"",
    "echo $'#{S.Id}'",
    'echo $"#{S.Id}"',
    "echo {a,#{S.Id}}",
    "cat <<'E'\n#{S.Id}\nE",
    "cat <<\\E\n#{S.Id}\nE",
    "cat <<E\n`echo #{S.Id}`\nE",
    "cat <<E\n$((#{S.Id}))\nE",
    "cat <<<#{S.Id}",
    "cat <(echo #{S.Id})",
    "echo #{S.Id} |& cat",
    "echo #{S.Id} &> f",
    "echo @(#{S.Id})",
    "function f { echo #{S.Id}; }",
    "select x in #{S.Id}; do :; done",
    "a=(#{S.Id})",
    "shopt -s expand_aliases; echo #{S.Id}",
    # a parser that is lost
    'echo "#{S.Id}',
    "echo 'x #{S.Id}",
    "cat <<E\n#{S.Id}\n",
    "cat <<E F\n#{S.Id}\nEF",
    "echo $(echo #{S.Id}",
    "echo #{S.Id} )",
    "case x in x) echo #{S.Id}",
    "echo #{S.Id}; fi",
    "if true; echo #{S.Id}",
    "echo $'it\\'s' #{S.Id}",
    "echo #{S.Id} \\",
    "echo ${x #{S.Id}",
    "echo #{S.Id} \x01",
]


@pytest.mark.parametrize("command", REFUSED)
def test_attack_03_reference_that_may_be_code_is_refused_with_place_and_way_out(
    command: str,
) -> None:
    with pytest.raises(LexerError) as raised:
        lex(command)
    told = str(raised.value)
    assert "#{S.Id} stands in " in told or "#{S.B} stands in " in told
    assert " at character " in told
    assert "set an environment variable of the action to #{S." in told
    assert "outside of arithmetic" in told


def test_bug_01_commit_message_is_never_the_text_of_a_shell() -> None:
    for shell in ("bash -eo pipefail -c", "bash -o pipefail -c", "su root -c", "$SHELL -c"):
        with pytest.raises(LexerError, match=r"where its value could be read as code"):
            lex(f'{shell} "echo building #{{Src.CommitMessage}}"')


def test_advice_of_a_refusal_is_itself_accepted_and_safe() -> None:
    with pytest.raises(LexerError) as raised:
        lex("echo $((#{S.Id} + 1))")
    assert "$((" not in str(raised.value)
    assert lex("""NAME=#{S.Id}; export NAME; sh -c 'echo "$NAME"'""").variables


@pytest.mark.parametrize("opener", ["$(", '"$(', "${x:-", '"${x:-', "$((", "(", "{ ", "if ", "`"])
def test_weak_command_nested_without_end_is_refused(opener: str) -> None:
    with pytest.raises(LexerError):
        lex(opener * (DEPTH + 1) + "#{S.Id}")


def test_weak_command_without_end_is_refused_by_its_length() -> None:
    with pytest.raises(LexerError, match=f"more than {MOST_CHARACTERS} characters"):
        lex("echo #{S.Id}" + " x" * MOST_CHARACTERS)


def test_weak_code_within_code_is_read_a_bounded_number_of_times() -> None:
    command = "a " * 600 + '"$V"'
    for _ in range(5):
        command = "x --exec=" + shlex.quote(f"-c={command}")
    with pytest.raises(LexerError, match=f"more than {MOST_WITHIN} characters of code within it"):
        lex(f"export V=#{{S.Id}}; {command}")


ALPHABET = st.sampled_from(
    [
        *"\"'`\\$(){}[]<>|&;#!*?~=-+:%, \t\n",
        "#{S.A}",
        "#{S.B}",
        "a",
        "sh",
        "-c",
        "<<E",
        "E\n",
        "case ",
        " in ",
    ]
)


@examples(500)
@given(st.lists(ALPHABET, max_size=30).map("".join) | st.text())
def test_any_text_is_a_command_or_refused(command: str) -> None:
    try:
        lexed = lex(command)
    except LexerError:
        return
    for name in lexed.variables:
        assert f"${{{name}}}" in lexed.code


def run_in(shell: list[str], code: str, values: dict[str, str], folder: Path) -> bytes:
    done = subprocess.run(
        [*shell, "-c", code],
        env={"PATH": "/usr/bin:/bin", **values},
        cwd=folder,
        capture_output=True,
        timeout=20,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_values_of_the_fuzzer_are_data_to_each_shell(shell: list[str], tmp_path: Path) -> None:
    random = Random(3)
    code = lex(
        "printf '<%s>' #{S.A} \"#{S.A}\" '#{S.A}' \"${U:-#{S.A}}\" ${U:-#{S.A}} \"$(printf '%s.' "
        '"#{S.A}")"; '
        'V=#{S.A}; printf \'<%s>\' "$V"; case #{S.A} in "#{S.A}") printf y;; esac\ncat '
        "<<E\n#{S.A}.\nE\n"
    ).code
    for _ in range(60):
        value, _ = values(random, str(tmp_path / "PWNED"))
        (name, *_) = fuzz_lexer.NAMES
        told = run_in(shell, code, {name: value}, tmp_path).decode()
        assert told == f"<{value}>" * 5 + f"<{value}.><{value}>y{value}.\n"
    assert list(tmp_path.iterdir()) == []


def test_fuzzer_finds_what_a_lexer_without_judgement_lets_through(tmp_path: Path) -> None:
    """The fuzzer is worth something: programs that are refused do run values."""
    assert {shutil.which(shell[0]) for shell in SHELLS} & {None} == set()
    ran = 0
    for shape in (
        "eval #{S.A}",
        "sh -c #{S.A}",
        "echo #{S.A} | sh",
        "V=#{S.A}; $V",
        "echo $((#{S.A}))",
    ):
        program = Program(shape, {})
        code = (
            shape.replace("#{S.A}", f'"${{{fuzz_lexer.NAMES[0]}}}"')
            .replace('(("', "((")
            .replace('"))', "))")
        )
        tried = fuzz_lexer.Tried(program, code, (f"a[$(touch {tmp_path}/PWNED)]", ""))
        touched = (
            tried._replace(given=(f"touch {tmp_path}/PWNED", "")) if "((" not in shape else tried
        )
        for shell in SHELLS:
            try:
                fuzz_lexer.run(shell, [touched], tmp_path)
            except Finding:
                ran += 1
    assert ran >= 4 * len(SHELLS)


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_no_process_outlives_the_fuzzer_of_the_lexer(shell: list[str], tmp_path: Path) -> None:
    code = "f() { f & }; f & set -m; (while :; do :; done) & (while :; do :; done) &"
    fuzz_lexer.run(shell, [fuzz_lexer.Tried(Program("", {}), code, ("", ""))], tmp_path)
    left = [Path(f"/proc/{pid}/cmdline") for pid in fuzz_lexer.running()]
    assert not [
        path for path in left if path.exists() and str(tmp_path).encode() in path.read_bytes()
    ]


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_fuzzer_tries_what_stands_behind_a_program_that_does_not_end(
    shell: list[str], tmp_path: Path
) -> None:
    """A program that loops hides none: the one behind it is tried, and what it runs is found."""
    looping = fuzz_lexer.Tried(Program("", {}), "while :; do :; done", ("", ""))
    given = (f"touch {tmp_path}/PWNED", "")
    running = fuzz_lexer.Tried(Program("eval", {}), f'eval "${{{fuzz_lexer.NAMES[0]}}}"', given)
    with pytest.raises(Finding, match="a value was run"):
        fuzz_lexer.run(shell, [looping, running], tmp_path)


@pytest.mark.parametrize("number", range(3))
def test_attack_03_no_shell_runs_or_alters_a_value_in_what_is_accepted(
    number: int, tmp_path: Path
) -> None:
    assert fuzz_lexer.batch(Random(f"unit {number}"), tmp_path) == fuzz_lexer.BATCH


@pytest.mark.parametrize(
    "value",
    [
        "$(touch {})",
        "a[$(touch {})]",
        "touch {}",
        "'; touch {}; '",
        "system('touch {}')",
        "-c touch {}",
    ],
)
def test_attack_03_every_context_of_the_corpus_keeps_a_value_data(
    value: str, tmp_path: Path
) -> None:
    given = (value.replace("{}", str(tmp_path / "PWNED")),) * 2
    shapes = [
        shape.replace("<l>", "echo #{S.A}").replace("{}", "#{S.A}").replace("<r>", "#{S.B}")
        for shape in ODD
    ]
    accepted = [
        tried for shape in shapes if (tried := fuzz_lexer.accept(Program(shape, {}), given))
    ]
    for shell in SHELLS:
        fuzz_lexer.run(shell, accepted, tmp_path)
