"""Whom no machine reaches is named before an action is sent."""

from sos.outreach.steps import list_unreached
from tests.story import Story


async def test_contacts_without_a_channel_are_named_with_their_organisation(story: Story) -> None:
    await story.contact(name="Reached by mail")
    member_id = await story.member({"": "حراس النهر", "en": "River Keepers"})
    await story.contact(member_id, name="Zahra Karimi", by={})
    await story.contact(member_id, name="On leave", by={}, paused=True)
    prepared = await story.prepared(await story.ready())
    async with story.runtime.record.reading() as conn:
        found = await list_unreached(conn, story.runtime, prepared, "en")
    assert found == [("Zahra Karimi", "River Keepers")]
