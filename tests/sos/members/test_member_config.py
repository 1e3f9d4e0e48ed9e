"""Countries and working groups in config/: all of them, each complete."""

from importlib.resources import files
from zoneinfo import available_timezones

from sos.config import Config
from sos.texts import LANGUAGES


def test_every_country_of_iso_3166_has_a_region_a_time_zone_and_a_price(config: Config) -> None:
    lines = files("tzdata").joinpath("zoneinfo", "iso3166.tab").read_text("utf-8").splitlines()
    assert set(config.countries) == {line[:2] for line in lines if not line.startswith("#")} | {"XK"}
    assert {country.time_zone for country in config.countries.values()} <= available_timezones()
    assert all(0 < country.sms_usd < 1 for country in config.countries.values())


def test_the_network_has_six_regions(config: Config) -> None:
    assert config.regions == (
        "africa", "asia_pacific", "europe", "latin_america_caribbean", "middle_east_north_africa", "north_america",
    )  # fmt: skip


def test_the_seven_working_groups_are_named_in_every_language(config: Config) -> None:
    assert len(config.groups) == 7
    assert all(set(names) == set(LANGUAGES) and all(names.values()) for names in config.groups.values())
