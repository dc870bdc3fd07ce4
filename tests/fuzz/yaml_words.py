"""What files of manifests are made of."""

from random import Random

WORDS = [
    "=", "<<", "~", "null", "Null", "NULL", "y", "Y", "yes", "Yes", "YES", "n", "N", "no", "No",
    "NO", "on", "On", "ON", "off", "Off", "OFF", "true", "True", "TRUE", "false", "False", "FALSE",
    "yEs", "nULL", "0755", "0o755", "0O755", "08", "09", "00", "-017", "0x1F", "0XfF", "-0x1",
    "0b101", "-0b11", "0b", "0x", "0b-1", "0b+1", "1_000", "1__0", "_1", "1_", "+12", "-12", "+-1",
    "12:30", "12:30:00", "190:20:30.15", "1.10", "1.0", "1e3", "1E+2", "1.", ".5", ".5_0", "-.5",
    "+.5", "1e400", "1e-400", "e3", "-0.0", "1.2.3", "1,000", ".e3", ".", "..", "-x", "0x_1",
    "0b_1", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
    "-9223372036854775809", "18446744073709551615", "18446744073709551616",
    "07777777777777777777777", "1777777777777777777777", "0xFFFFFFFFFFFFFFFF",
    "-0x8000000000000000", "0x1p4", "1_e_3", "2020-01-02", "2020-1-2", "-0", "+0", "-00", "+08",
    "2001-12-14t21:59:43.10-05:00", "2001-12-14T21:59:43Z", "2001-12-14 21:59:43.10", "2001-02-30",
    "20:30", "2020-13-45", ".inf", "-.Inf", "+.INF", ".nan", ".NaN", "nan", "inf", "a:b",
    "http://x:1/y#z", "'0755'", "\"yes\"", "\"\\u00e9\"", "'it''s'", "!!str 1.10", "!!int '12'",
    "!x y", "!!binary aGk=", "a b", "é", "1.7976931348623159e308", "4.9e-324", "0.1",
    "123456789.123456789", "1e21", "1e20", "1e-7", "100000000000000000000000", "16777217.0",
    "!!binary /w==", "!!binary 'a G k ='", "!!binary aGk", "!!float 1", "!!float 1e400",
    "!!timestamp 2020-01-02", "!!merge x", "!!null x", "a#b",
]  # fmt: skip
"""Words on which YAML 1.1, YAML 1.2 and their readers differ."""
ODD = [
    "-", "?", ":", "a #b", "#", "a: b", "@", "`", "%a", "!a", "&", "*", "|", ">", "[", "]", "{",
    "}", ",", "- a", "? a", "\"", "'", "--- a", "...", "*x9",
]  # fmt: skip
"""Words that mean something in some places, and end in an error in most."""
PIECES = [
    "0", "1", "9", "0x", "0o", "0b", "_", "+", "-", ".", "e", "E", "1e3", "yes", "no", "on", "off",
    "y", "N", "~", "null", ".inf", ".nan", "12", "30", ":", "true", "=", "<<", "2020-01-02", "T",
    "Z", "08", "0755", "99999999999999999999", "9223372036854775808", "18446744073709551615", "F",
    "a", "-05:00", " 1:02:03", "t", "x", "f", "i", "n", "p", "8", "7", "\u0660", "\u00a0",
]  # fmt: skip
PROPERTIES = [
    "!!int ", "!!float ", "!!str ", "!!bool ", "!!null ", "!x ", "! ", "!!binary ", "!!timestamp ",
    "!!map ", "!!seq ", "!!merge ", "!!set ", "!!omap ", "!<tag:yaml.org,2002:str> ",
    "!<tag:yaml.org,2002:int> ", "!<!x> ", "!h!x ", "&x0 !!str ", "!!str &x1 ", "!!python/none ",
    "!!value ", "!%21 ", "!!in%74 ", "!!", "!! ", "!!int\n  ", "&x0\n  ", "&x0", "& ",
]  # fmt: skip
KEYS = [
    "1", "010", "0x10", "1.10", "1e3", "1e20", "1e39", ".2", "0.00001", ".inf", "-.inf", ".nan",
    "y", "n", "on", "true", "~", "null", "", "=", "<<", "'<<'", "\"<<\"", "!!merge <<", "!!str <<",
    "&x0 <<", "2020-01-02", "12:30", "!!binary aGk=", "*x0", "*x1 ", "[a]", "{a: b}", "? a", "'1'",
    "\"y\"", "a b", "a#b", "é", "-", "-a", "?a", ":a", "a:b", "18446744073709551615",
    "9223372036854775808", "1.23456789", "123456.0", "1234567.0", "0.0001", "1_000", "0o17",
    "!!int '1'", "!!str 1", "!!float 1", "k" * 1030, "'"+"k" * 1030+"'", "\"a\\nb\"", "\"\\0\"",
    "|", "!x", "&x1",
]  # fmt: skip
ESCAPES = [
    "\\0", "\\a", "\\b", "\\t", "\\n", "\\v", "\\f", "\\r", "\\e", "\\\"", "\\/", "\\\\", "\\N",
    "\\_", "\\L", "\\P", "\\ ", "\\\t", "\\x41", "\\x80", "\\u263a", "\\U0001F600", "\\ud83d",
    "\\ud83d\\ude00", "\\U00110000", "\\ufeff", "\\uFFFE", "\\q", "\\x4", "\\'",
]  # fmt: skip
CONTROLS = [
    "\x00", "\x01", "\x07", "\x08", "\x0b", "\x0c", "\x1b", "\x1f", "\x7f", "\x80", "\x84", "\x86",
    "\x9f", "\ud800", "\udfff", "\ufffe", "\uffff", "\ufeff", "\r", "\t", "\n",
]  # fmt: skip
"""Characters that YAML does not take, or not everywhere."""
CHARACTERS = [
    "\x85", "\xa0", "\xe9", "\u2028", "\u2029", "\ufffd", "\U0001f600", "\U0010ffff", "\t",
    "\u3000", "\u0660", "\u0301", "\ufeff",
]  # fmt: skip
LINES = [
    "x", "x", "x", "y", "a b", "a: b", "- a", "# no comment", "", "", "  ", "\t", "\tx", "x\t",
    "x ", " ---", " ...", "%YAML 1.1", "'", "\"", "x", "y", "---a", "é", "\u2028", "a\u2028b",
    "a\x85b", "{{ .x }}", "#{a}", "*x0", "&x", "!t", "\\n", "\ufeff",
]  # fmt: skip
COMMENTS = ["", "", "", "", " ", " # c", "\t# c", "  # 'c", "#c", "\t", " #"]
MARKERS = [
    "--- \n", "--- # c\n", "---\t\n", "---#c\n", "--- |\n", "--- a\n", "---a\n", "----\n", "...\n",
    "... # c\n", "...\n---\n", " ---\n", "---\n---\n", "---\r\n", "---\n# c\n---\n", "--- !!map\n",
    "--- &x0\n", "\n", "# c\n", "---\u00a0\n", "--- {}\n", "...\n%YAML 1.1\n---\n", "\ufeff---\n",
    "---\n\ufeff", "--\n",
]  # fmt: skip
DIRECTIVES = [
    "%YAML 1.1\n---\n", "%YAML 1.2\n---\n", "%YAML 1.0\n---\n", "%TAG ! tag:yaml.org,2002:\n---\n",
    "%TAG !h! tag:yaml.org,2002:\n---\n", "%FOO bar\n---\n", "%YAML 1.1\n", "%\n---\n",
]  # fmt: skip
_HEAD = "apiVersion: example.com/v1\nkind: Case\nmetadata:\n  name: c\n"
HEADS = [
    *[_HEAD] * 8, "apiVersion: v1\nkind: Case\nmetadata: {name: c, annotations: {a: b}}\n",
    "'apiVersion': v1\n\"kind\": 'Case'\nmetadata: {\"name\": c}\n",
    "kind: Case\nmetadata:\n    name:\n       c\napiVersion: v1\n",
    "metadata: &x8 {name: c}\napiVersion: &x9 v1\nkind: *x9\n",
    "<<: {apiVersion: v1, kind: Case}\nmetadata: {name: c}\n",
    "apiVersion: v1\nkind: Case\nmetadata: {name: c, labels: {a: b}, namespace: d}\n",
    "apiVersion: v1\nkind: Case\nmetadata:\n  name: c\n",
    "? apiVersion\n: v1\n? kind\n: Case\nmetadata: {? name : c}\n",
]  # fmt: skip
ODD_HEADS = [
    "apiVersion: v1\nkind: Case\n", "apiVersion: 1\nkind: Case\nmetadata: {name: c}\n",
    "apiVersion: v1\nkind: yes\nmetadata: {name: c}\n",
    "apiVersion: v1\nkind: Case\nmetadata: {name: 1}\n",
    "apiVersion: v1\nkind: Case\nmetadata: c\n",
    "apiVersion: v1\nkind: Case\nmetadata: {name: c, labels: {a: 1}}\n",
    "apiVersion: v1\nkind: Case\nmetadata: {name: c}\nmetadata: {namespace: d}\n",
]  # fmt: skip
JSON_JOINTS = ["", "\n", " ", "\n---\n", "---\n", ",", "\nnull\n", "\t\r\n", "\n# c\n", "\n5\n"]
JSON_WORDS = [
    "NaN", "Infinity", "1e999", "-0", "-0.0", "01", "1.", "0x1", "1E3", "true", '"\\ud83d"',
    '"\\/"',
    '"\\ud83d\\ude00"', '"a\tb"', '"\\x41"', "9" * 400, "9223372036854775807.0", "1e18", "1e21",
]  # fmt: skip


def scalar_word(random: Random) -> str:
    """Return a plain scalar, mostly: a word of the table, pieces of numbers,
    or a number of any length.
    """
    kind = random.randrange(40)
    if kind < 20:
        return random.choice(WORDS)
    if kind < 30:
        return "".join(random.choices(PIECES, k=random.randint(1, 4)))
    if kind < 35:
        return number_word(random)
    if kind < 38:
        return timestamp_word(random)
    if kind == 38:
        return random.choice(ODD)
    return "".join(random.choices([*CHARACTERS, "a", " ", ":", "#", "-"], k=random.randint(1, 4)))


def number_word(random: Random) -> str:
    """Return a number in any base, of any length."""
    known = random.choice(["01", "01234567", "0123456789", "0123456789abcdefF", "0123456789_"])
    digits = "".join(
        random.choices(known, k=random.choice([1, 3, 16, 19, 20, 21, 22, 30, 65, 400]))
    )
    end = random.choice(["", "", ".", ".5", "e3", "e-3", ".0e0", "E+400", "_"])
    sign, base = (
        random.choice(["", "", "-", "+"]),
        random.choice(["", "", "0x", "0o", "0", "0b", "0X"]),
    )
    return sign + base + digits + end


def timestamp_word(random: Random) -> str:
    """Return what may be a moment."""
    year = random.choice([1, 999, 2020, 12020])
    day = f"{year}-{random.randrange(15)}-{random.randrange(1, 33):02}"
    if random.random() < 0.3:
        return day
    joint = random.choice(["T", "t", " ", "  ", ""])
    end = random.choice(["", "Z", "z", ".5Z", " Z", "+01:00", "-1", "+0100", ".123456789"])
    hour, minute, second = random.randrange(26), random.randrange(62), random.randrange(62)
    return f"{day}{joint}{hour}:{minute:02}:{second:02}{end}"
