"""What the catalogue that comes along keeps, whatever models it has: a new one is one entry."""

from __future__ import annotations

from datetime import date

from flowdsl_steps.image.catalogue import SHIPPED, Model, catalogue, catalogue_in

SHIPPED_CATALOGUE = catalogue_in(SHIPPED)
DAY = date.fromisoformat(SHIPPED_CATALOGUE.facts["as_of"])
PROVIDERS = ("openai", "azure")


def model(name: str) -> Model:
    found = SHIPPED_CATALOGUE.find(name)
    assert found is not None
    return found


def facts() -> dict[str, dict[str, dict[str, object]]]:
    return dict(SHIPPED_CATALOGUE.facts)


def test_the_catalogue_of_the_tests_is_another_one() -> None:
    assert catalogue() is not SHIPPED_CATALOGUE


def test_every_name_and_snapshot_is_unique() -> None:
    names = [name for each in SHIPPED_CATALOGUE.models for name in (each.name, *each.snapshots)]
    assert len(names) == len(set(names))


def test_every_model_names_only_keys_the_loader_reads() -> None:
    allowed = {
        "family", "snapshots", "prompt_max_chars", "n", "sizes", "params", "life", "azure_defaults", "prices",
            "assumed", "sources", "edits", "inputs", "batch_discount",
    }  # fmt: skip
    assert {key for data in facts()["models"].values() for key in data} <= allowed


def test_every_model_knows_the_same_parameters() -> None:
    assert len({frozenset(each.parameters) for each in SHIPPED_CATALOGUE.models}) == 1


def test_every_source_tag_is_explained_and_every_explanation_is_used() -> None:
    used = {tag for each in SHIPPED_CATALOGUE.models for tag in each.sources}
    used |= {tag for each in SHIPPED_CATALOGUE.models if each.batch_discount for tag in each.batch_discount.sources}
    for part in ("families", "providers", "inputs"):
        used |= {str(tag) for data in facts()[part].values() for tag in data.get("sources", ())}  # type: ignore[attr-defined]  # a list in the JSON
    assert used == set(facts()["sources"])


def test_every_default_is_among_the_values() -> None:
    for each in SHIPPED_CATALOGUE.models:
        assert each.sizes.fault(each.sizes.default) is None, each
        for name, parameter in each.parameters.items():
            for provider in PROVIDERS:
                default = each.default(name, provider)
                assert default is None or default in parameter.values, (each, name, provider)
            assert set(parameter.remarks) <= set(parameter.values), (each, name)
            assert not set(parameter.maybe) & set(parameter.values), (each, name)


def test_every_replacement_exists_and_is_alive() -> None:
    for name, data in SHIPPED_CATALOGUE.facts["models"].items():
        for provider, life in data["life"].items():
            if replacement := life.get("replacement"):
                assert model(replacement).life(provider, DAY).state == "alive", (name, provider)


def test_everything_dead_or_dying_has_a_replacement_that_is_alive() -> None:
    for each in SHIPPED_CATALOGUE.models:
        for provider in PROVIDERS:
            life = each.life(provider, DAY)
            if life.state in ("dead", "dying"):
                assert life.replacement is not None, (each, provider)
                assert model(life.replacement).life(provider, DAY).state == "alive", (each, provider)


def test_every_life_is_in_order_and_every_day_is_a_real_day() -> None:
    for name, data in SHIPPED_CATALOGUE.facts["models"].items():
        for life in data["life"].values():
            days = [date.fromisoformat(life[key]) for key in ("released", "deprecated", "shutdown") if key in life]
            assert days == sorted(days), name


def test_every_price_names_a_size_and_a_quality_of_its_model() -> None:
    for each in SHIPPED_CATALOGUE.models:
        qualities = set(each.parameters["quality"].values)
        for table in ("tokens", "images"):
            for size, row in each.prices.get(table, {}).items():
                assert each.sizes.fault(size) is None, (each, size)
                assert set(row) <= qualities, (each, size)
        assert set(each.prices.get("factors", {})) <= qualities, each
        assert set(each.prices.get("scale", {})) <= set(each.prices.get("factors", {})), each


def test_every_model_of_the_official_client_is_known() -> None:
    from typing import get_args

    from openai.types.image_model import ImageModel

    named = {name for each in SHIPPED_CATALOGUE.models for name in (each.name, *each.snapshots)}
    assert set(get_args(ImageModel)) <= named


def test_every_parameter_of_the_official_client_is_checked() -> None:
    from openai.types.image_generate_params import ImageGenerateParamsBase

    generic = SHIPPED_CATALOGUE.facts["generic"]
    known = {*SHIPPED_CATALOGUE.models[0].parameters, *generic["always"], *generic["never"]}
    assert set(ImageGenerateParamsBase.__annotations__) <= known
