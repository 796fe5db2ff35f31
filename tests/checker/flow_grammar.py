"""Random flows: right by construction, or wild, with any name in any place."""

from __future__ import annotations

from random import Random
from typing import Any

NAMES = ("a", "b", "c", "d", "e")
KINDS = ("text", "number", "boolean", "texts", "numbers", "map")
Env = dict[str, str]
"""The variables that are certainly set at a point, with their kinds."""


class Grammar:
    """Grows one flow. With `wild` above 0, that share of reads takes any variable, set or not, of whatever kind."""

    def __init__(self, random: Random, wild: float) -> None:
        self.random = random
        self.wild = wild
        self.fresh = 0
        self.size = random.randint(3, 14)

    def document(self) -> dict[str, Any]:
        """A document with one or two reusable flows, steps, and perhaps outputs."""
        flows: dict[str, Any] = {}
        effects: dict[str, Env] = {}
        for name in ("first", "second")[: self.random.randint(0, 2)]:
            env: Env = {}
            self.size, steps = 3, []
            steps = self.steps(env, loops=0, depth=2, flows=dict(effects), inside=True)
            flows[name], effects[name] = steps, env if not _leaves(steps) else {}
        self.size = self.random.randint(3, 14)
        env = {}
        steps = self.steps(env, loops=0, depth=0, flows=effects, inside=False)
        document: dict[str, Any] = {"flow": steps}
        if flows:
            document["blocks"] = {"flows": flows}
        if self.random.random() < 0.4:
            readable = env if not _ends(steps, flows) else {}
            document["outputs"] = {f"o{n}": self.any_value(readable) for n in range(self.random.randint(1, 3))}
        return document

    def steps(self, env: Env, *, loops: int, depth: int, flows: dict[str, Env], inside: bool) -> list[Any]:
        """Steps in order; `env` grows with what they set."""
        found: list[Any] = []
        for _ in range(self.random.randint(1, 4)):
            if self.size <= 0 and found:
                break
            self.size -= 1
            step, ends = self.step(env, loops, depth, flows, inside)
            found.append(step)
            if ends:
                break
        return found

    def step(self, env: Env, loops: int, depth: int, flows: dict[str, Env], inside: bool) -> tuple[Any, bool]:
        """One step, and whether what follows it cannot run."""
        makers = [self.assign, self.assign, self.assign, self.older]
        if depth < 4:
            makers += [self.choose, self.switch, self.each, self.count, self.repeat, self.attempt, self.split]
        around = {"loops": loops, "depth": depth + 1, "flows": flows, "inside": inside}
        if flows:
            makers.append(self.call)
        if loops or depth:
            makers.append(self.leave)
        return self.random.choice(makers)(env, around)

    def assign(self, env: Env, around: dict[str, Any]) -> tuple[Any, bool]:
        """SET of one or two variables."""
        step: dict[str, Any] = {"step": "SET"}
        for _ in range(self.random.randint(1, 2)):
            kind, name = self.random.choice(KINDS), self.random.choice(NAMES)
            if name not in step:
                step[name] = self.value(kind, env)
                env[name] = kind
        return step, False

    def older(self, env: Env, around: dict[str, Any]) -> tuple[Any, bool]:
        """SET in its older form."""
        name = self.random.choice(NAMES)
        step: dict[str, Any]
        if self.random.random() < 0.4:
            kind = self.random.choice(KINDS)
            step = {"step": "SET", "name": name, "expression": self.expression(kind, env)}
        elif self.random.random() < 0.5 and around["depth"] < 4:
            inner = self.steps(env, **around)
            inner.append({"step": "SET", "text": "inner"})
            env["text"], kind = "text", "text"
            step = {"step": "SET", "name": name, "steps": inner}
            ends = _stops(inner[:-1])
            if ends:
                inner.pop()
                return step, True
        else:
            kind = "text"
            step = {"step": "SET", "name": name, "text": self.value(kind, env)}
        env[name] = kind
        return step, False

    def choose(self, env: Env, around: dict[str, Any]) -> tuple[Any, bool]:
        """IF, sometimes guarding what may be unset."""
        step: dict[str, Any] = {"step": "IF"}
        then, other = dict(env), dict(env)
        guarded = self.random.choice(NAMES)
        if self.random.random() < 0.2:
            step["condition"] = braced(f"flowContext.{guarded} is string")
            then[guarded] = "text"
        elif self.random.random() < 0.1:
            step["test"] = self.expression("boolean", env)
        else:
            step["condition"] = braced(self.expression("boolean", env))
        step["then"] = self.steps(then, **around)
        if self.random.random() < 0.6:
            step["else"] = self.steps(other, **around)
        ways = [(step["then"], then), (step.get("else", []), other)]
        return step, self.meet(env, ways)

    def switch(self, env: Env, around: dict[str, Any]) -> tuple[Any, bool]:
        """SWITCH with two cases, with or without a default."""
        ways = []
        cases: dict[str, Any] = {}
        for case in ("x", "1", "default")[: self.random.randint(2, 3)]:
            inner = dict(env)
            cases[case] = self.steps(inner, **around)
            ways.append((cases[case], inner))
        if "default" not in cases:
            ways.append(([], dict(env)))
        kind = self.random.choice(("text", "number"))
        return {"step": "SWITCH", "condition": braced(self.expression(kind, env)), "cases": cases}, self.meet(env, ways)

    def each(self, env: Env, around: dict[str, Any]) -> tuple[Any, bool]:
        """FOR over items."""
        kind = self.random.choice(("texts", "numbers"))
        step: dict[str, Any] = {"step": "FOR", "var": "item", "items": self.value(kind, env)}
        if self.random.random() < 0.15:
            step["concurrency"] = 2
        return self.pass_of(step, kind[:-1], env, around)

    def count(self, env: Env, around: dict[str, Any]) -> tuple[Any, bool]:
        """FOR over numbers."""
        start, end = self.random.randint(0, 3), self.random.randint(0, 3)
        return self.pass_of({"step": "FOR", "var": "item", "start": start, "end": end}, "number", env, around)

    def pass_of(self, step: dict[str, Any], kind: str, env: Env, around: dict[str, Any]) -> tuple[Any, bool]:
        """The body of a FOR; what it sets is not certain after it."""
        inner = {**env, "item": kind, "item_index": "number"}
        loops = 0 if "concurrency" in step else around["loops"] + 1
        step["do"] = self.body(inner, {**around, "loops": loops}, {"item", "item_index"})
        if self.random.random() < 0.3 and not _stops(step["do"]):
            step["collect"], step["collectKey"] = self.any_value(inner), "list"
        self.forget(env, step["do"])
        env.pop("item", None)
        env.pop("item_index", None)
        env.pop("list", None)
        return step, False

    def repeat(self, env: Env, around: dict[str, Any]) -> tuple[Any, bool]:
        """WHILE with a counter that the body cannot touch."""
        self.fresh += 1
        counter = f"n{self.fresh}"
        inner = {**env, counter: "number"}
        body = self.body(inner, {**around, "loops": around["loops"] + 1}, {counter})
        count = {"step": "SET", counter: braced(f"(flowContext.{counter} | default(0)) + 1")}
        condition = braced(f"(flowContext.{counter} | default(0)) < 3")
        self.forget(env, body)
        return {"step": "WHILE", "condition": condition, "do": [count, *body]}, False

    def body(self, env: Env, around: dict[str, Any], own: set[str]) -> list[Any]:
        """The steps of an iteration, which sets its `own` anew: they read nothing that another one may have changed."""
        mark, size, fresh = self.random.getstate(), self.size, self.fresh
        changed: set[str] = set()
        while True:
            for name in changed - own:
                env.pop(name, None)
            inner = dict(env)
            steps = self.steps(inner, **around)
            if not (_written(steps) - own) & set(env):
                env.clear()
                env.update(inner)
                return steps
            changed |= _written(steps)
            self.random.setstate(mark)
            self.size, self.fresh = size, fresh

    def forget(self, env: Env, steps: list[Any]) -> None:
        """Takes out what steps that may have run may have changed."""
        for name in _written(steps):
            env.pop(name, None)

    def attempt(self, env: Env, around: dict[str, Any]) -> tuple[Any, bool]:
        """TRY with or without a catch and a finally."""
        tried, caught = dict(env), dict(env)
        step: dict[str, Any] = {"step": "TRY", "try": self.steps(tried, **around)}
        if self.random.random() < 0.3 and not _stops(step["try"]):
            step["try"].append({"step": "RAISE", "message": "no"})
        self.forget(caught, step["try"])
        caught["error"] = "error"
        ways = [(step["try"], tried)]
        if self.random.random() < 0.7:
            step["catch"] = self.steps(caught, **around)
        ways.append((step.get("catch", []), caught))
        ends = self.meet(env, ways)
        if self.random.random() < 0.2:
            last = dict(env)
            last.pop("error", None)
            self.forget(last, step["try"] + step.get("catch", []))
            step["finally"] = [self.assign(last, around)[0]]
            for name in set(step["finally"][0]) - {"step"}:
                env[name] = last[name]
        return step, ends

    def split(self, env: Env, around: dict[str, Any]) -> tuple[Any, bool]:
        """PARALLEL with two lists."""
        lists, envs = [], []
        for _ in range(2):
            inner = dict(env)
            lists.append(self.steps(inner, **{**around, "loops": 0}))
            envs.append(inner)
        for steps, inner in zip(lists, envs, strict=True):
            self.forget(env, steps)
            del inner
        return {"step": "PARALLEL", "steps": lists}, any(_stops(steps) for steps in lists)

    def call(self, env: Env, around: dict[str, Any]) -> tuple[Any, bool]:
        """CALL_FLOW of a flow that was made before."""
        name = self.random.choice(list(around["flows"]))
        for key in NAMES:
            env.pop(key, None)
        for key in ("item", "item_index", "list", "text", "error"):
            env.pop(key, None)
        env.update(around["flows"][name])
        return {"step": "CALL_FLOW", "ref": f"local.flows.{name}"}, False

    def leave(self, env: Env, around: dict[str, Any]) -> tuple[Any, bool]:
        """A signal, mostly with a condition."""
        names = ["END_IF", "RAISE"] + (["BREAK", "CONTINUE"] * 3 if around["loops"] else []) + ["END"]
        step: dict[str, Any] = {"step": self.random.choice(names)}
        if step["step"] == "RAISE":
            step["message"] = "no"
        elif self.random.random() < 0.7:
            step["condition"] = braced(self.expression("boolean", env))
        return step, "condition" not in step

    def meet(self, env: Env, ways: list[tuple[list[Any], Env]]) -> bool:
        """What is certain after several ways; whether none of them goes on."""
        live = [found for steps, found in ways if not _stops(steps)]
        if not live:
            return True
        kept = {name: kind for name, kind in live[0].items() if all(way.get(name) == kind for way in live)}
        env.clear()
        env.update(kept)
        return False

    def any_value(self, env: Env) -> Any:
        """A value of any kind."""
        return self.value(self.random.choice(KINDS), env)

    def value(self, kind: str, env: Env) -> Any:
        """A value of a kind as YAML holds it."""
        if self.random.random() < 0.5:
            return braced(self.expression(kind, env))
        random = self.random
        if kind == "text":
            return (
                "w " + braced(self.expression("text", env)) if random.random() < 0.3 else random.choice(["x", "y", ""])
            )
        if kind == "number":
            return random.randint(0, 3)
        if kind == "boolean":
            return random.choice([True, False])
        if kind == "texts":
            return [random.choice(["x", "y"]) for _ in range(random.randint(0, 3))]
        if kind == "numbers":
            return [random.randint(0, 3) for _ in range(random.randint(0, 3))]
        return {"k": self.value("text", env), "n": random.randint(0, 9)}

    def read(self, kind: str, env: Env) -> str | None:
        """A variable of a kind, or when wild any variable."""
        if self.random.random() < self.wild:
            return f"flowContext.{self.random.choice([*NAMES, 'item', 'list', 'text'])}"
        known = [name for name, found in env.items() if found == kind]
        return f"flowContext.{self.random.choice(known)}" if known else None

    def expression(self, kind: str, env: Env) -> str:
        """An expression of a kind."""
        name, random = self.read(kind, env), self.random
        if name is not None and random.random() < 0.5:
            return name
        return str(getattr(self, f"_{kind}")(env, name))

    def _text(self, env: Env, name: str | None) -> str:
        number, of = self.read("number", env), self.read("map", env)
        texts = self.read("texts", env)
        choices = ["'x'", "'x' ~ 'y'"]
        if name:
            choices += [f"{name} | upper", f"{name}.toUpperCase()", f"{name} + '!'", f"{name} or 'z'", f"{name} | trim"]
        if number:
            choices += [f"{number} ~ 'px'", f"{number} | string"]
        if of:
            choices += [f"{of}.k", f"({of}.k)"]
        if texts:
            choices += [f"{texts} | join(',')", f"{texts}.join('-')"]
        if "error" in env:
            choices += ["flowContext.error.message", "flowContext.error.name"]
        unsure = f"flowContext.{random_of(self.random)}"
        choices += [f"{unsure} | default('q') | string", f"('s' if {unsure} is defined else 't')"]
        return self.random.choice(choices)

    def _number(self, env: Env, name: str | None) -> str:
        choices = [str(self.random.randint(0, 3)), "2 * 3"]
        text, texts, of = self.read("text", env), self.read("texts", env), self.read("map", env)
        choices += [f"{name} + 1", f"{name} * 2 - 1", f"-{name}", f"{name} | abs"] if name else []
        choices += [f"{text} | length", f"{text}.length"] if text else []
        choices += [f"{texts} | length", f"{texts}.length"] if texts else []
        choices += [f"{of}.n"] if of else []
        return self.random.choice(choices)

    def _boolean(self, env: Env, name: str | None) -> str:
        number, text, texts = self.read("number", env), self.read("text", env), self.read("texts", env)
        unsure = f"flowContext.{random_of(self.random)}"
        choices = [f"{unsure} is defined", f"not {unsure}", "'x' in ['x', 'y']"]
        choices += [f"not {name}"] if name else []
        choices += [f"{number} < 2", f"{number} == 1"] if number else []
        choices += [f"{text} == 'x'", f"'x' in {text}", f"{text} | startsWith('x')"] if text else []
        choices += [f"'x' in {texts}", f"{texts} | length > 1"] if texts else []
        return self.random.choice(choices)

    def _texts(self, env: Env, name: str | None) -> str:
        text = self.read("text", env)
        choices = ["['x', 'y']", "[]"]
        choices += [f"{name} | sort", f"{name}.concat(['z'])", f"{name} | unique"] if name else []
        choices += [f"{text} | split('')", f"[{text}]", f"{text} | list"] if text else []
        return self.random.choice(choices)

    def _numbers(self, env: Env, name: str | None) -> str:
        number = self.read("number", env)
        choices = (
            ["[1, 2]", "range(2)"] + ([f"{name} | reverse"] if name else []) + ([f"[{number}, 1]"] if number else [])
        )
        return self.random.choice(choices)

    def _map(self, env: Env, name: str | None) -> str:
        text = self.read("text", env)
        return f"{{k: {text}, n: 1}}" if text else "{k: 'v', n: 2}"


def braced(expression: str) -> str:
    """A template that is one expression."""
    return f"{{{{ {expression} }}}}"


def random_of(random: Random) -> str:
    """Any of the names."""
    return random.choice(NAMES)


def _written(steps: Any) -> set[str]:
    """Every key that steps may set, whatever their calls do included."""
    found: set[str] = set()
    for step in steps:
        if step["step"] == "SET":
            older = {"name", "text", "expression", "steps"} & set(step)
            found |= {step.get("name", "text")} if older else set(step) - {"step"}
        if step["step"] == "CALL_FLOW":
            found |= {*NAMES, "text", "item", "item_index", "list", "error"}
        if step["step"] == "TRY":
            found.add("error")
        if step["step"] == "FOR":
            found |= {"item", "item_index", "list"}
        for block in _blocks(step):
            found |= _written(block)
    return found


def _blocks(step: dict[str, Any]) -> list[Any]:
    if step["step"] == "PARALLEL":
        return list(step["steps"])
    blocks = [step[key] for key in ("then", "else", "do", "try", "catch", "finally", "steps") if key in step]
    return blocks + list(step.get("cases", {}).values())


def _stops(steps: Any) -> bool:
    """Whether what comes after steps cannot run."""
    for step in steps:
        if step["step"] in ("END", "END_IF", "BREAK", "CONTINUE", "RAISE") and "condition" not in step:
            return True
        if step["step"] == "IF" and "else" in step and all(map(_stops, (step["then"], step["else"]))):
            return True
        if step["step"] == "SWITCH" and "default" in step["cases"] and all(map(_stops, step["cases"].values())):
            return True
        if step["step"] == "TRY" and "catch" in step and _stops(step["try"]) and _stops(step["catch"]):
            return True
        if step["step"] == "PARALLEL" and any(map(_stops, step["steps"])):
            return True
        if step["step"] == "SET" and "steps" in step and isinstance(step["steps"], list) and _stops(step["steps"]):
            return True
    return False


def _leaves(steps: Any) -> bool:
    """Whether a flow can end before its last step."""
    return any(
        step["step"] in ("END", "END_IF", "RAISE", "CALL_FLOW") or any(map(_leaves, _blocks(step))) for step in steps
    )


def _ends(steps: Any, flows: dict[str, Any]) -> bool:
    """Whether a run can end early and still give outputs."""
    return _leaves(steps) or any(map(_leaves, flows.values()))
