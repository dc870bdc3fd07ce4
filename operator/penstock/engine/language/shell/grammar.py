"""Reads a shell command into simple commands, pipelines and compounds (POSIX 2.10).

It leaves out the parts in which shells differ.
"""

import re

from penstock.engine.language.shell.redirects import RedirectReader
from penstock.engine.language.shell.syntax import (
    RESERVED,
    Command,
    Compound,
    Program,
    ShellPipeline,
    Simple,
    Word,
)
from penstock.engine.language.shell.words import META

_BASH_ALONE = {"function", "select", "coproc"}
_RESERVED_WORD = re.compile(r"([a-z]+|[{}!])(?=[ \t\n;&|<>()]|\Z)")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_OPENERS = {"(", "{", "if", "while", "until", "for", "case"}


class Parser(RedirectReader):
    """Reads a whole command. What is not known to mean the same to every shell raises Refused."""

    def program(self) -> Program:
        """Read the text to its end."""
        if match := _CONTROL.search(self.text):
            raise self.lost("a command with a control character", match.start())
        found = self._list(frozenset())
        if self.char():
            raise self.lost(f"a command with {self.char()!r} where none is expected")
        if self.heredocs:
            raise self.lost("a command with a here-document without a body")
        return found

    def substituted(self) -> Program:
        """Read the inside of ``$(…)``."""
        found = self._list(frozenset())
        if not self.sees(")") or self.heredocs:
            raise self.lost("a '$(' that is not closed")
        self.take()
        return found

    def nested(self, text: str) -> Program:
        """Read the inside of backquotes."""
        self.deeper()
        found = Parser(text, self.depth).program()
        self.depth -= 1
        return found

    # ---- between commands

    def _newlines(self) -> None:
        """Take blanks, newlines, and the here-documents that begin behind one."""
        self.blanks()
        while self.sees("\n"):
            self.take()
            waiting, self.heredocs = self.heredocs, []
            for heredoc in waiting:
                self.body(heredoc)
            self.blanks()

    def _reserved(self) -> str:
        """Return the reserved word that stands here, or nothing."""
        match = _RESERVED_WORD.match(self.text, self.at, self.end)
        return match[1] if match and match[1] in RESERVED else ""

    def _expect(self, word: str) -> None:
        self._newlines()
        if self._reserved() != word:
            raise self.lost(f"a command where {word!r} is expected")
        self.take(len(word))

    def _list(self, ends: frozenset[str]) -> Program:
        self.deeper()
        found: Program = []
        self._newlines()
        # A parenthesis that closes, and `;;`, belong to whoever has opened the list.
        while self.char() not in ("", ")") and not self.sees(";;"):
            if self._reserved() in ends:
                break
            found.append(self._pipeline())
            self.blanks()
            if not self._separator():
                break
            self._newlines()
        self.depth -= 1
        return found

    def _separator(self) -> bool:
        """Take what stands between two pipelines; whether there was any."""
        for odd in ("&>", ";&", ";;&", "|&"):
            if self.sees(odd):
                raise self.lost(f"a command with {odd!r}, which shells read differently,")
        if self.sees(";;"):
            return False
        for joint in ("&&", "||"):
            if self.operator(joint):
                self._newlines()
                if self.char() in ("", ")") or self.sees(";"):
                    raise self.lost(f"a command that ends with {joint!r}")
                return True
        return self.operator(";") or self.operator("&") or self.sees("\n")

    def _pipeline(self) -> ShellPipeline:
        if self._reserved() == "!":
            self.take()
            self.blanks()
        stages = [self._command()]
        self.blanks()
        while self.sees("|") and not self.sees("||"):
            if self.sees("|&"):
                raise self.lost("a command with '|&', which shells read differently,")
            self.operator("|")
            self._newlines()
            stages.append(self._command())
            self.blanks()
        return ShellPipeline(stages)

    # ---- commands

    def _command(self) -> Command:
        self.deeper()
        opener = self._reserved() or ("(" if self.sees("(") else "")
        found: Command
        if opener in _OPENERS:
            found = self._compound(opener)
        elif opener:
            raise self.lost(f"a command with {opener!r} where none is expected")
        else:
            found = self._simple()
        self.depth -= 1
        return found

    def _compound(self, opener: str) -> Compound:
        found = Compound(opener, self.at)
        if self.sees("(("):
            raise self.lost("a command with '((', which may be arithmetic,")
        self.take(len(opener))
        if opener == "(":
            found.programs.append(self._list(frozenset()))
            if not self.sees(")"):
                raise self.lost("a command with '(' that is not closed", found.at)
            self.take()
        elif opener == "{":
            found.programs.append(self._list(frozenset("}")))
            self._expect("}")
        else:
            {"if": self._if, "while": self._loop, "until": self._loop, "for": self._for,
             "case": self._case}[opener](found)  # fmt: skip
        self.blanks()
        while self.redirect(found.redirects):
            self.blanks()
        return found

    def _if(self, found: Compound) -> None:
        found.programs.append(self._list(frozenset({"then"})))
        self._expect("then")
        found.programs.append(self._list(frozenset({"elif", "else", "fi"})))
        while self._reserved() == "elif":
            self.take(4)
            found.programs.append(self._list(frozenset({"then"})))
            self._expect("then")
            found.programs.append(self._list(frozenset({"elif", "else", "fi"})))
        if self._reserved() == "else":
            self.take(4)
            found.programs.append(self._list(frozenset({"fi"})))
        self._expect("fi")

    def _loop(self, found: Compound) -> None:
        found.programs.append(self._list(frozenset({"do"})))
        self._do(found)

    def _do(self, found: Compound) -> None:
        self._expect("do")
        found.programs.append(self._list(frozenset({"done"})))
        self._expect("done")

    def _for(self, found: Compound) -> None:
        self.blanks()
        name = _IDENTIFIER.match(self.text, self.at, self.end)
        if not name or self.text[name.end() : name.end() + 1] not in tuple(" \t\n;"):
            raise self.lost("a 'for' without a name")
        found.name = self.take(name.end() - self.at)
        self._newlines()
        if self._reserved() == "in":
            self.take(2)
            self.blanks()
            while self.char() and self.char() not in META:
                found.words.append(self.word())
                self.blanks()
        if self.sees(";") and not self.sees(";;"):
            self.operator(";")
        self._do(found)

    def _case(self, found: Compound) -> None:
        self.blanks()
        found.words.append(self.some_word())
        self._expect("in")
        self._newlines()
        while self._reserved() != "esac":
            if self.sees("("):
                self.take()
            while True:
                self.blanks()
                found.words.append(self.some_word())
                self.blanks()
                if not self.sees("|"):
                    break
                self.operator("|")
            if not self.sees(")"):
                raise self.lost("a pattern of 'case' that shells may read differently")
            self.take()
            found.programs.append(self._list(frozenset({"esac"})))
            if self.sees(";;&") or not (self._reserved() == "esac" or self.operator(";;")):
                raise self.lost("a 'case' whose end is not found")
            self._newlines()
        self._expect("esac")

    def _simple(self) -> Command:
        found = Simple(self.at)
        while True:
            self.blanks()
            if self.redirect(found.redirects):
                continue
            if self.sees("("):
                return self._function(found)
            if not self.char() or self.char() in META:
                break
            self._put(found, self.word())
        if not (found.words or found.assignments or found.redirects):
            raise self.lost("a command that is empty")
        return found

    def _put(self, found: Simple, word: Word) -> None:
        if not found.words and word.assigned():
            found.assignments.append(word)
            return
        if not found.words and word.literal == word.bare and word.literal in RESERVED | _BASH_ALONE:
            raise self.lost(
                f"a command with {word.literal!r}, which shells may read differently,", word.at
            )
        # bash takes `{name}>` and a number for the descriptor, where others see a word.
        if self.char() in ("<", ">") and self.char() and re.fullmatch(r"\{\w*\}|[0-9]+", word.text):
            raise self.lost("a redirection that shells may read differently", word.at)
        found.words.append(word)

    def _function(self, found: Simple) -> Compound:
        names = [word.literal for word in found.words]
        is_name = len(names) == 1 and names[0] and _IDENTIFIER.fullmatch(names[0].replace("-", "_"))
        if not is_name or found.assignments or found.redirects:
            raise self.lost("a command with '(' where shells may read it differently")
        self.take()
        self.blanks()
        if not self.sees(")"):
            raise self.lost("a command with '(' where shells may read it differently")
        self.take()
        self._newlines()
        body = self._command()
        if not isinstance(body, Compound):
            raise self.lost("a function whose body is no compound command", found.at)
        return Compound("function", found.at, [[ShellPipeline([body])]], name=names[0] or "")
