"""`flowdsl run --dry-run`: the requests of a run in their order, as far as they are known; none is sent."""

from __future__ import annotations

import textwrap
from argparse import Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flowdsl.cli.plan import flows_of
from flowdsl.errors import UsageError
from flowdsl.secrets.plain import without_keys

if TYPE_CHECKING:
    from flowdsl.plan import Plan
    from flowdsl.plan.spending import Request
    from flowdsl.source import Source


def dry_run(source: Source, options: Namespace) -> int:
    """Prints what a run with these options would send; gives the exit code.

    Raises:
        FlowCheckError: the file has mistakes.
        UsageError: it is a kit and no action is named.
    """
    flows = flows_of(source, options)
    if len(flows) > 1:
        named = (flow.document.title or flow.document.id or "(no title)" for flow, _ in flows)
        names = ", ".join(map(without_keys, named))
        raise UsageError(f"this kit has {len(flows)} actions; choose one with --action: {names}")
    flow, inputs = flows[0]
    plan = flow.plan(inputs)
    if options.json:
        import json

        print(json.dumps([_to_json(each) for each in plan.requests], indent=2, ensure_ascii=False))
    else:
        print("\n".join(_lines(plan)))
    return 0


def _lines(plan: Plan) -> Iterator[str]:
    from flowdsl.display.visible import visible, visible_line
    from flowdsl.plan.shown import headline, usd

    for number, each in enumerate(plan.requests, 1):
        place = f"{each.span.path}:{each.span.first.line}"
        loops = f", {', '.join(each.iteration)}" if each.iteration else ""
        sure = "" if each.certain else ", perhaps"
        often = "" if each.often is None else f", {each.often} times"
        yield visible_line(f"{number}. {each.step} {place}{loops}{sure}{often}")
        asked = [each.model or "a model that only the run knows", *map(str, each.options.values())]
        asked += [_requests(each), "price not known" if each.most_usd is None else f"at most {usd(each.most_usd)}"]
        yield f"   {visible_line(', '.join(asked))}, {each.vendor} at {each.host}"
        prompt = "the prompt is not known" if each.prompt is None else visible(each.prompt.rstrip("\n"))
        yield textwrap.indent(prompt, "   | ", lambda line: True)
    if plan.requests:
        yield ""
    yield f"nothing was sent; a run: {headline(plan.bounds, plan.assumed)}"


def _requests(request: Request) -> str:
    least, most = request.requests
    if least == most:
        return "1 request" if most == 1 else f"{most} requests"
    return "any number of requests" if most is None else f"{least} to {most} requests"


def _to_json(request: Request) -> dict[str, Any]:
    return {
        "step": request.step,
        "place": f"{request.span.path}:{request.span.first.line}",
        "iteration": list(request.iteration),
        "service": request.service,
        "vendor": request.vendor,
        "host": request.host,
        "model": request.model,
        **request.options,
        "prompt": request.prompt,
        "requests": {"least": request.requests[0], "most": request.requests[1]},
        "most_usd": request.most_usd,
        "certain": request.certain,
        "times": request.often,
    }
