"""config/: what people edit is checked as it is read, and hangs together."""

import re
import shutil
from pathlib import Path

import pytest

from sos.actions.action import Kind
from sos.config import CONFIG, read_config
from sos.intake.report import Urgency
from sos.settings import BadSetting
from sos.texts import LANGUAGES, Catalogue


@pytest.fixture
def edited(tmp_path: Path) -> Path:
    """A copy of config/ to edit."""
    return Path(shutil.copytree(CONFIG, tmp_path / "config"))


def test_every_urgency_has_its_clocks_and_the_loudest_leaves_first() -> None:
    urgencies = read_config().urgencies

    assert set(urgencies) == set(Urgency)
    ranked = sorted(urgencies.values(), key=lambda one: one.rank)
    assert urgencies["life"] == ranked[0]
    assert urgencies["life"].rank == 0
    assert [one.first_contact_hours for one in ranked] == sorted(one.first_contact_hours for one in ranked)
    assert all(one.first_contact <= one.decision <= one.deadline for one in ranked)


def test_the_clocks_are_those_that_the_network_promises() -> None:
    promised = {name: (one.first_contact_hours, one.decision_hours) for name, one in read_config().urgencies.items()}

    assert promised == {"life": (2, 24), "serious": (24, 72), "routine": (72, 168)}


def test_every_kind_of_action_needs_scopes_that_exist() -> None:
    consent = read_config().consent

    assert set(consent.needed) == set(Kind)
    assert all(set(scopes) <= set(consent.scopes) for scopes in consent.needed.values())
    assert consent.name in consent.scopes
    assert [kind for kind, scopes in consent.needed.items() if not scopes] == [Kind.CORRECTION]


def test_every_scope_group_and_region_has_its_words() -> None:
    config, catalogue = read_config(), Catalogue()
    for language in LANGUAGES:
        known = catalogue.forms(language)
        assert not [one for one in config.consent.scopes if f"consent.scope.{one}" not in known]
        assert not [one for one in config.regions if f"region.{one}" not in known]
        assert all(language in names for names in config.groups.values())


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("urgency.yaml", "life: {rank: soon}"), ("urgency.yaml", "["), ("urgency.yaml", ""),
        ("groups.yaml", "- a\n- b"),
        ("consent.yaml", "scopes: [a]"), ("countries.yaml", "XX: {region: x, time_zone: UTC, sms_usd: cheap}"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_named(edited: Path, file: str, text: str) -> None:
    (edited / file).write_text(text)

    with pytest.raises(BadSetting, match=re.escape(f"config/{file}")):
        read_config(edited)


def test_a_missing_file_is_named(edited: Path) -> None:
    (edited / "groups.yaml").unlink()

    with pytest.raises(BadSetting, match=re.escape("config/groups.yaml")):
        read_config(edited)
