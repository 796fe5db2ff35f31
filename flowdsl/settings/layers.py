"""What counts for the runs of one flow: settings of services by whoever gives them, and limits that files lower."""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from flowdsl.host import METADATA
from flowdsl.image.own_models import OwnModels
from flowdsl.record import Record
from flowdsl.services import ServiceLayers
from flowdsl.settings.entries import entries_of
from flowdsl.settings.files import (
    REPORTED,
    Settings,
    check_keys,
    entry_option_findings,
    misspelt_entries,
    named_file,
    plain_settings,
    project_file,
    second_file,
    severities,
    unheeded,
    user_file,
)
from flowdsl.settings.mistakes import Mistaken, Mistakes
from flowdsl.settings.places import PROJECT_FILE
from flowdsl.settings.read_by_templates import env_names, kv_values
from flowdsl.settings.values import choice, concurrency, count, flag, texts, usd, usd_by_name

if TYPE_CHECKING:
    from flowdsl.diagnostics import Diagnostic
    from flowdsl.limits import Limits
    from flowdsl.settings.policy import PolicyRule
    from flowdsl.settings.reported import Reported
    from flowdsl.step.registry import Registry

USER = "the user's settings"
"""The origin of what the user's own file says."""


class InForce(Record):
    """Settings of services, the limits of a run, what is wrong with the project's settings file, how much it lets the
    files of pictures say (None: it does not say), severities of findings that were set, the files themselves, what they
    say of models, and which findings the project wants to hear of (None: of all)."""

    services: ServiceLayers
    limits: Limits
    findings: list[Diagnostic]
    metadata: str | None
    severities: Mapping[str, str]
    files: tuple[Settings | None, ...]
    models: OwnModels | None = None
    reported: Reported | None = None
    policy: tuple[PolicyRule, ...] = ()
    """Rules of the house."""

    def findings_for(self, registry: Registry, used: Callable[[], Container[str]]) -> list[Diagnostic]:
        """What is wrong with the settings files for a flow whose steps name the entries that are `used` (a
        function, as few ask for it)."""
        return [*self.findings, *(each for file in self.files for each in misspelt_entries(file, registry, used))]

    def lowered(self, limits: Limits) -> Limits:
        """Other limits, with what the files take away from them."""
        for settings in self.files:
            limits = _lowered(limits, settings)
        return limits


def in_force(
    path: str,
    settings: str | None,
    *,
    services: Mapping[str, Mapping[str, Any]],
    overrides: Mapping[str, Mapping[str, Any]],
    environ: Mapping[str, str] | None,
    endpoints: Iterable[str],
    limits: Limits,
    given_severities: Mapping[str, str],
    registry: Callable[[], Registry],
) -> InForce:
    """What counts for the flow of a file; `settings` is the settings file that the host names, `PROJECT_FILE` for the
    nearest one of the project and the user's own, None for none at all. `registry` gives the steps, whose options
    the files may have defaults for.

    Raises:
        UsageError: a settings file that cannot be read, or says what cannot be.
    """
    searched = settings == PROJECT_FILE
    variables = os.environ if environ is None else environ
    user = user_file(variables, keys_are_checked=False) if searched else None
    project = None
    if settings is not None:
        found = project_file if searched else named_file
        project = found(path if searched else settings, keys_are_checked=False)
    layers = []
    try:
        check_keys(user, of_user=True)
        check_keys(project)
        if project is not None:
            name = os.path.basename(project[0]) if searched else project[0]  # noqa: PTH119
            layers.append((name, entries_of(project)))
        if user is not None:
            layers.append((USER, entries_of(user)))
        findings = [] if project is None else plain_settings(*project)
        findings += (found for each in (project, user) for found in entry_option_findings(each, registry))
        lowered = _lowered(_lowered(limits, project), user)
        if flag(project, "private_addresses") and project is not None and not lowered.private_addresses:
            findings.append(unheeded(project[0], "private_addresses"))
        if searched and project is not None:
            findings += second_file(project[0])
        allowed = (*endpoints, *texts(user, "allow_endpoints"))
        made = ServiceLayers(layers, host=services, environ=environ, overrides=overrides, endpoints=allowed)
        metadata = choice(project, "metadata", METADATA) or choice(user, "metadata", METADATA)
        set_severities = {**severities(project, of_project=searched), **severities(user), **given_severities}
        models = _models(project, user)
        files = project, user
        return InForce(
            made, lowered, findings, metadata, set_severities, files, models, _reported(project), _policy(project, user)
        )
    except Mistaken:
        tell_all(project, user, searched=searched)
        raise


def tell_all(project: Settings | None, user: Settings | None, *, searched: bool) -> None:
    """Looks over all that files say, each part by itself; `searched`: nobody has named that of the project.

    Raises:
        Mistaken: everything that is wrong with them.
    """
    parts: list[Callable[[], object]] = [partial(texts, user, "allow_endpoints"), partial(_reported, project)]
    parts += [partial(env_names, project), partial(kv_values, project)]
    for file in (project, user):
        parts += [partial(check_keys, file, of_user=file is user), partial(entries_of, file)]
        parts += [partial(usd, file, name) for name in ("max_usd", "max_usd_per_day", "ask_above_usd")]
        parts += [partial(usd_by_name, file, "max_usd_per_day_by_service"), partial(count, file, "max_requests")]
        parts += [
            partial(concurrency, file),
            partial(flag, file, "private_addresses"),
            partial(choice, file, "metadata", METADATA),
        ]
        parts += [partial(severities, file, of_project=searched and file is project)]
        parts += [partial(_models, file), partial(_policy, file)]
    mistakes = Mistakes()
    for part in parts:
        with mistakes.gathered():
            part()
    mistakes.check()


def _reported(project: Settings | None) -> Reported | None:
    if project is None or not any(name in project[1] for name in REPORTED):
        return None
    from flowdsl.settings.reported import reported

    return reported(project)


def _policy(*files: Settings | None) -> tuple[PolicyRule, ...]:
    if not any(file is not None and file[1].get("policy") is not None for file in files):
        return ()
    from flowdsl.settings.policy import policy_rules

    return policy_rules(*files)


def _models(*files: Settings | None) -> OwnModels | None:
    """What files say of models: of one that several speak of, what the first of them says."""
    found: dict[str, Any] = {}
    named = [os.path.basename(file[0]) for file in files if file is not None and file[1].get("models")]  # noqa: PTH119
    if not named:
        return None
    from flowdsl.settings.mistakes import mistake
    from flowdsl.settings.models import own_models

    for path, content in [settings for settings in files if settings is not None]:
        own = own_models(path, content.get("models"))
        found = {**(own.entries if own is not None else {}), **found}
    return OwnModels(", ".join(named), found, repr(found), mistake)


def _lowered(limits: Limits, settings: Settings | None) -> Limits:
    """The limits with what a settings file takes away from them; what it would add does not count."""
    for name in ("max_usd_per_day", "ask_above_usd"):  # which the command line heeds
        usd(settings, name)
    usd_by_name(settings, "max_usd_per_day_by_service")
    sum_usd = usd(settings, "max_usd")
    if sum_usd is not None and "max_usd" not in limits.fixed and (limits.max_usd is None or sum_usd < limits.max_usd):
        limits = limits._replace(max_usd=sum_usd)
    most = count(settings, "max_requests")
    free = "max_requests" not in limits.fixed
    if most is not None and free and (limits.max_requests is None or most < limits.max_requests):
        limits = limits._replace(max_requests=most)
    places = concurrency(settings)
    free = "concurrency" not in limits.fixed
    if places is not None and free and (limits.concurrency is None or places < limits.concurrency):
        limits = limits._replace(concurrency=places)
    if flag(settings, "private_addresses") is False and "private_addresses" not in limits.fixed:
        limits = limits._replace(private_addresses=False)
    return limits
