"""What a launch would send, counted: channels, languages, money, and whom no machine reaches. No I/O."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from channels.base import ChannelName
from channels.segments import segments
from sos.config import Country


@dataclass(frozen=True, slots=True)
class Group:
    """Contacts who would get the same: by channel (None: nobody can reach them), language and country."""

    channel: ChannelName | None
    language: str
    country: str
    region: str
    is_fallback: bool
    contacts: int


@dataclass(frozen=True, slots=True)
class Preview:
    """Exactly who would get what."""

    groups: tuple[Group, ...]
    sms_segments: int
    sms_usd: Decimal

    @property
    def contacts(self) -> int:
        """Everybody whom a channel reaches."""
        return sum(group.contacts for group in self.groups if group.channel)

    @property
    def unreached(self) -> int:
        """Contacts without any channel."""
        return sum(group.contacts for group in self.groups if not group.channel)

    @property
    def fallbacks(self) -> int:
        """Contacts who get the original, because none of their languages is ready."""
        return sum(group.contacts for group in self.groups if group.channel and group.is_fallback)

    @property
    def by_channel(self) -> dict[str, dict[str, int]]:
        """Contacts by channel and language."""
        table: dict[str, dict[str, int]] = {}
        for group in self.groups:
            if group.channel:
                languages = table.setdefault(group.channel, {})
                languages[group.language] = languages.get(group.language, 0) + group.contacts
        return table

    @property
    def by_region(self) -> Counter[str]:
        """Contacts whom a channel reaches, by region."""
        counted: Counter[str] = Counter()
        for group in self.groups:
            counted[group.region] += group.contacts if group.channel else 0
        return counted


def price(groups: Sequence[Group], sms_texts: Mapping[str, str], countries: Mapping[str, Country]) -> Preview:
    """Add up what the groups would cost by SMS, given the longest text of each language."""
    per_message = {language: segments(text).count for language, text in sms_texts.items()}
    by_sms = [group for group in groups if group.channel is ChannelName.SMS]
    return Preview(
        groups=tuple(groups),
        sms_segments=sum(per_message[group.language] * group.contacts for group in by_sms),
        sms_usd=sum(
            (per_message[group.language] * group.contacts * countries[group.country].sms_usd for group in by_sms),
            start=Decimal(0),
        ),
    )
