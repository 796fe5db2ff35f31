"""Bloblang as far as it is supported: what it gives, when it fails, and what is said of the rest."""

from __future__ import annotations

import random
from typing import Any

import pytest

from flowdsl.template.limits import DEFAULT_LIMITS, MAX_TEXT
from flowdsl.template.taint import Marked, SecretBytes
from flowdsl_steps.expressions import bloblang_values
from flowdsl_steps.expressions.bloblang import Interpolation, Mapping, Mistake, QueryFailed, is_prose
from flowdsl_steps.expressions.bloblang_values import Failed, OverLimit, to_json, to_text
from flowdsl_steps.records.record import Record

JSON = b'{"a":{"b":"x","n":null,"l":[1,"two"]},"p":"cat","n":3,"f":2.5,"t":true,"k.d":"dot"}'


def record(content: bytes = JSON, **metadata: Any) -> Record:
    return Record(0, "line 1", content, metadata)


def mapped(text: str, message: Record | None = None) -> Any:
    found = Mapping(text).apply(message or record())
    return "(dropped)" if found.is_dropped else found.content


def mistake(text: str) -> Mistake:
    with pytest.raises(Mistake) as raised:
        Mapping(text)
    return raised.value


# Values


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("this.p", "cat"),
        ("p", "cat"),
        ('json("p")', "cat"),
        ("this.a.b", "x"),
        ("this.a.l.1", "two"),
        ('json("a.l.0")', "1"),
        ('this."k.d"', "dot"),
        ('json("k~1d")', "dot"),
        ("json().n", "3"),
        ('"A " + this.p', "A cat"),
        ('content() + "!"', f"{JSON.decode()}!"),
        ("this.n + 1", "4"),
        ("this.f + 1", "3.5"),
        ("-this.n", "-3"),
        ('"""raw "x" \\n"""', 'raw "x" \\n'),
        (r'"tab\tand \x41 é"', "tab\tand A é"),
        ('[1, 2.5, {"a": this.p}]', '[1,2.5,{"a":"cat"}]'),
        ('{"b": 1, "a": 2}', '{"a":2,"b":1}'),
        ("this.t", "true"),
        ('"%v and %03d, %.2f %5s|%-5s|%q %% %t".format(this.p, 7, 1.5, "a", "b", "c", true)', None),
        ('this.p.uppercase() + "ẞß".lowercase() + "ß".uppercase()', "CATßßß"),
        ('"  x ".trim() + "--y--".trim("-")', "xy"),
        ('this.p.replace_all("c", "b")', "bat"),
        ('this.p.replace_all(old: "c", new: "r")', "rat"),
        ('"cat".encode("base64")', "Y2F0"),
        ("this.n.string() + this.a.l.string()", '3[1,"two"]'),
        ("1000000.0.string()", "1e+06"),
        ('meta("k").or("none")', "none"),
        ("this.\n  a.\n  b", "x"),
        ('this.p +\n  "!" # behind', "cat!"),
        ('(this.p +\n "!")', "cat!"),
    ],
    ids=lambda value: None,
)
def test_a_query_gives(text: str, content: str | None) -> None:
    found = mapped(text)
    expected = 'cat and 007, 1.50     a|b    |"c" % true' if content is None else content
    assert (found.decode() if isinstance(found, bytes) else found) == expected


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("true || true && false", "false"),  # equal, from left to right
        ('this.none | "x" + "y"', "xy"),  # `|` binds closest
        ("1 + 2 == 3 && 2 < 3", "true"),
        ("!this.t || this.t", "true"),
        ('"a" < "b" && "b" >= "b" && 1 != 2', "true"),
        ('this.n == 3.0 && this.n != "3" && true != 1', "true"),
        ("this.n && false", "false"),  # a number is true unless it is 0
        ('content() == content().string() && [1, {"a": 2}] == [1, {"a": 2}]', "true"),
        ("false && this.none.uppercase()", "false"),  # the right side is not looked at
    ],
)
def test_operators_bind_as_in_the_engine(text: str, content: str) -> None:
    assert mapped(text) == content


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("this.none", "null"),
        ("this.p.deeper.still", "null"),
        ("this.a.l.9", "null"),
        ('json("none")', "null"),
        ('meta("none")', "null"),
        ("error()", "null"),
        ('this.none | "x"', "x"),
        ('this.a.n.or("x")', "x"),
        ('"" | "x"', ""),  # only null, and what fails
        ("0 | 5", "0"),
        ('false.or("x")', "false"),
        ('this.none.catch("x")', "null"),  # null is no error
        ('this.none.uppercase().catch("x")', "x"),
        ('this.none.uppercase() | "x"', "x"),
        ("this.n.uppercase().catch(this)", "expected string value, got number from field `this.n` (3)"),
        ('if this.none { "x" }', None),  # nothing: the message stays
        ('if this.none { "x" } else if this.t { "y" } else { "z" }', "y"),
    ],
)
def test_null_and_errors_go_as_in_the_engine(text: str, content: str | None) -> None:
    assert mapped(text) == content


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("this.none.uppercase()", "expected string value, got null from field `this.none`"),
        ("this.n.trim()", "expected string value, got number from field `this.n` (3)"),
        ("this.p + this.n", "cannot add types string (from field `this.p`) and number (from field `this.n`)"),
        ("this.p < this.n", "cannot compare types string (from field `this.p`) and number (from field `this.n`)"),
        ("this.none > 1", "cannot compare types null (from field `this.none`) and number (from number literal)"),
        ("this.p && true", 'expected bool value, got string from field `this.p` ("cat")'),
        ("!this.n", "expected bool value, got number from field `this.n` (3)"),
        ("if this.p { 1 }", 'expected bool value, got string from field `this.p` ("cat")'),
        ('"%d".format(this.p)', "the format has %d for a value of type string"),
        ('"%v %v".format(1)', "the format has more verbs than arguments: %v"),
        ('json("a").format()', "expected string value, got object from function `json`"),
        ("json(this.n)", "json: argument path: expected string value, got number from field `this.n` (3)"),
        ('content().encode("rot13")', "unrecognized encoding type: rot13"),
    ],
)
def test_a_query_fails_with_the_engines_words(text: str, error: str) -> None:
    with pytest.raises(QueryFailed) as raised:
        mapped(text)
    assert raised.value.message == f"failed assignment (line 1): {error}"


def test_this_is_an_error_on_what_is_no_json() -> None:
    with pytest.raises(QueryFailed, match=r"unable to reference message as structured \(with 'this.x'\)"):
        mapped("this.a", record(b"a red cat"))
    assert mapped('this.a | "x"', record(b"a red cat")) == "x"
    assert mapped("content()", record(b"\xff")) == b"\xff"
    with pytest.raises(QueryFailed, match="nested too deep"):
        mapped("this", record(b"[" * 100_000))


# Mappings


def test_a_mapping_assigns_line_by_line_and_this_stays_the_input() -> None:
    text = """
    # what the message becomes
    root = this.a
    root.b = this.p.uppercase()
    root.n = deleted()   # goes
    root.new.deep = root.b + this.a.b
    extra = [this.n]
    """
    assert mapped(text) == '{"b":"CAT","extra":[3],"l":[1,"two"],"new":{"deep":"CATx"}}'


def test_what_is_assigned_is_a_copy() -> None:
    message = record()
    assert mapped('root = this\nroot.a.b = "changed"', message).startswith('{"a":{"b":"changed"')
    assert message.structured()["a"]["b"] == "x"


def test_deleted_drops_the_message_and_nothing_leaves_it() -> None:
    assert mapped("root = deleted()") == "(dropped)"
    assert mapped("root = if this.n == 3 { deleted() } else { this }") == "(dropped)"
    assert mapped('meta k = "v"') is None
    assert mapped('root = if false { "x" }') is None


def test_metadata_is_read_as_it_was_and_with_an_at_as_it_becomes() -> None:
    message = record(old="1", number=7)
    text = 'meta old = "2"\nmeta "with space" = this.n\nroot = meta("old") + @old\nmeta number = deleted()'
    found = Mapping(text).apply(message)
    assert (found.content, found.metadata) == ("12", {"old": "2", "with space": 3})
    assert message.metadata == {"old": "1", "number": 7}
    assert Mapping("meta = deleted()").apply(message).metadata == {}
    assert Mapping('meta = {"a": 1}').apply(message).metadata == {"a": 1}
    assert mapped('meta("number") + "!"', message) == "7!"
    assert mapped("@", message) == '{"number":7,"old":"1"}'


def test_counters_are_shared_by_the_records_of_a_run() -> None:
    counts: dict[str, int] = {}
    made = [mapped('count("a")', Record(number, "", b"", None, counts)) for number in range(3)]
    assert made == ["1", "2", "3"]


def test_a_failing_line_is_named_by_its_number() -> None:
    with pytest.raises(QueryFailed, match=r"failed assignment \(line 3\)"):
        mapped("root.a = 1\n\nroot.b = this.n.trim()")


def test_setting_a_field_of_a_text_fails() -> None:
    with pytest.raises(QueryFailed, match="the root is string, which has no fields"):
        mapped('root = "text"\nroot.a = 1')


# Texts with queries in them


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("plain $5 {a} {{ b }}", "plain $5 {a} {{ b }}"),
        ('${! json("p") } of ${!this.n}', "cat of 3"),
        ('${{!json("p")}}', '${!json("p")}'),
        ("${! this.none }", "null"),
        ('${! if this.n > 2 { "hd" } else { "standard" } }', "hd"),
        ('${! json("p").replace_all("c", "}") }', "}at"),
        ("${! this.a }", '{"b":"x","l":[1,"two"],"n":null}'),
        ("${! content().string().trim() }".replace("content()", 'json("p")'), "cat"),
    ],
)
def test_a_text_with_queries_becomes(text: str, made: str) -> None:
    assert Interpolation(text).text_for(record()) == made


def test_a_query_that_fails_fails_its_text() -> None:
    with pytest.raises(QueryFailed, match="expected string value, got null"):
        Interpolation("a ${! this.none.trim() }").text_for(record())


@pytest.mark.parametrize(
    ("text", "value"), [("plain", "plain"), ("${! this.a }", None), ("${{!x}}", "${!x}"), ("", "")]
)
def test_a_text_without_queries_is_known_before_it_runs(text: str, value: str | None) -> None:
    assert Interpolation(text).value == value
    assert (Mapping('"quoted"').value, Mapping("this.a").value, Mapping('root = "x"').value) == ("quoted", None, "x")
    assert (Mapping("cat").name, Mapping("this.cat").name, Mapping("root = cat").name) == ("cat", None, "cat")


# Mistakes


@pytest.mark.parametrize(
    ("text", "at", "message"),
    [
        ('"a" + 5', "5", "`+` adds two numbers or two texts, not a string and a number"),
        ("content() + 5", "5", "`+` adds two numbers or two texts, not bytes and a number"),
        ("this.a + null", "null", "`+` adds numbers or joins texts, and this is null"),
        ("this.a.uppercase().trim() + [1]", "[1]", "`+` adds numbers or joins texts, and this is an array"),
        ('"a" < 1', "1", "`<` compares two numbers or two texts, not a string and a number"),
        ("this.a >= true", "true", "`>=` compares numbers or texts, and this is a bool"),
        ('true && "x"', '"x"', "`&&` takes bool values, and this is a string"),
        ('!"x"', '"x"', "`!` takes a bool value, and this is a string"),
        ('-"x"', '"x"', "`-` takes a number, and this is a string"),
        ("5.uppercase()", "5", "`.uppercase()` works on texts, and this is a number"),
        ('this.p.replace_all("a", 1)', "1", "`new` of `replace_all` is a text, and this is a number"),
        ("{1: 2}", "1", "a key is a text, and this is a number"),
        ("now()", "now", "unrecognised function `now()`"),
        ("this.a.map_each(this)", "map_each", "unrecognised method `.map_each()`"),
        ("root = $x", "$", "not supported here: variables (`let`, `$name`)"),
        ("this.a - 1", "-", "not supported here: `-`"),
        ("this.a / 2", "/", "not supported here: `/`"),
        ("x -> x.a", "->", "not supported here: `->`"),
        ('import "a.blobl"', "import", "not supported here: `import`"),
        ("root.a=1", "=", "`=` has a space on both sides"),
        ("a red cat", "red", "an operator is missing before `red`"),
        ("'x'", "'", 'a text stands in double quotes, `"…"`'),
        ("this.a.(b)", ".", "a name is missing behind the dot"),
        ("root.a = 1 +", "+", "it breaks off here"),
        ("[1, 2", "2", "a `[` is not closed"),
        ('"\\q"', "\\q", "`\\q` is no escape"),
        ("1234567890123456789", "1234567890123456789", "the number is too large"),
        ("   ", "   ", "the mapping is empty"),
    ],
)
def test_a_mistake_stands_at_its_place(text: str, at: str, message: str) -> None:
    found = mistake(text)
    assert (text[found.start : found.end], found.message) == (at, message)


@pytest.mark.parametrize("text", ["now()", "this.a.map_each(this)", "this.a * 2", "root = $x", "match this { _ => 1 }"])
def test_what_is_outside_the_subset_shows_the_subset(text: str) -> None:
    hint = mistake(text).hint or ""
    assert all(part in hint for part in ('json("a.b")', "this.a.b", "if … { … } else { … }", ".replace_all("))


def test_a_name_that_is_nearly_one_is_named() -> None:
    assert (mistake("contnt()").instead, (mistake("contnt()").hint or "")[:21]) == ("content", "did you mean `content")


@pytest.mark.parametrize(
    ("text", "is_words"),
    [
        ("A red cat", True),
        ("a cat, sitting on the mat.", True),
        ("Don't panic!", True),
        ("cat", False),
        ('"A red cat"', False),
        ("this.a + this.b", False),
        ('json("a")', False),
    ],
)
def test_prose_is_told_from_queries(text: str, is_words: bool) -> None:
    assert is_prose(text) is is_words


# Limits and secrets


def test_a_query_has_a_depth_a_size_and_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    deep = "(" * (DEFAULT_LIMITS.max_depth + 1) + "1" + ")" * (DEFAULT_LIMITS.max_depth + 1)
    assert mistake(deep).message == f"the query is nested more than {DEFAULT_LIMITS.max_depth} deep"
    assert mistake("!" * 5000 + "true").message.endswith("deep")
    assert mistake("1 + " * 20_000 + "1").message == "a mapping has at most 65,536 characters"
    long = Mapping('this.p.replace_all("", "0123456789")' + '.replace_all("", "0123456789")' * 8)
    with pytest.raises(QueryFailed, match=f"a text is longer than {MAX_TEXT:,} characters"):
        long.apply(record())
    monkeypatch.setattr("flowdsl_steps.expressions.bloblang_scope.thread_time", iter(range(100)).__next__)
    with pytest.raises(QueryFailed, match="it takes longer than 1 s"):
        mapped("this.p + this.p + this.p + this.p")


def test_a_limit_is_not_gone_on_from() -> None:
    text = "this.p" + '.replace_all("", "0123456789")' * 9 + '.catch("x").or("y") | "z"'
    with pytest.raises(QueryFailed, match="a text is longer"):
        mapped(text)


def test_whatever_is_written_a_mistake_or_a_failure_is_all_that_comes() -> None:
    words = [
        *("this", ".a", "content()", 'json("a")', "@", '"t"', "5", "1.5", "-", "!", "+", "|", "&&", "==", "<", "("),
        *(")", "[", "]", "{", "}", ",", ":", "if ", "else ", "null", ".uppercase()", ".or(", ".format(", "\n", " = "),
        *(
            "#c\n",
            "deleted()",
            "meta ",
            '"""r"""',
            "->",
            "$v",
            '"\\x"',
            ".",
            "${!",
            "}}",
            "%d",
            "\u00e9",
            '"',
            "root.a = ",
        ),
    ]
    chance = random.Random(5)
    for _ in range(400):
        text = "".join(chance.choice(words) for _ in range(chance.randint(1, 8)))
        for make in (Mapping, Interpolation):
            try:
                query: Any = make(text if make is Mapping else f"a ${{! {text} }}")
                for content in (JSON, b"[1]", b"", b"\xff", b"NaN", b'"\\ud800"'):
                    query.apply(record(content)) if make is Mapping else query.text_for(record(content))
            except Mistake as found:
                assert 0 <= found.start <= found.end <= len(text) + 8
            except QueryFailed:
                pass


def test_values_that_hold_themselves_end() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(OverLimit):
        to_json(value)
    with pytest.raises(Failed):
        to_text(bloblang_values.DELETED)


def test_what_is_made_of_a_secret_is_one() -> None:
    secret = Record(0, "", SecretBytes(b"sk-secret"))
    assert isinstance(Mapping('"key: " + content().string()').apply(secret).content, Marked)
    assert isinstance(Interpolation("a ${! content() }").text_for(secret), Marked)
    assert not isinstance(Interpolation("plain").text_for(secret), Marked)
    with pytest.raises(QueryFailed) as raised:
        Mapping("this.a").apply(secret)
    assert raised.value.message == "this fails on a secret, which is not shown"
    secret.become(Mapping("content().uppercase()").apply(secret).content or "")
    assert isinstance(secret.content, Marked)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e6, "1e+06"),
        (123456.0, "123456"),
        (1234567.5, "1.2345675e+06"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (-2.50, "-2.5"),
        (0.0, "0"),
        (1e300, "1e+300"),
        (float("inf"), "+Inf"),
        (10**20, "100000000000000000000"),
    ],
)
def test_numbers_are_written_as_go_writes_them(value: float, text: str) -> None:
    assert to_text(value) == text
