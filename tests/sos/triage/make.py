"""A case made and verified over its own pages."""

from uuid import UUID

from sos.triage import store
from sos.triage.case import Case
from tests.secretariat import Answer, Seat, Secretariat


async def make_case(secretariat: Secretariat, seat: Seat) -> str:
    """A report of hers becomes a case; the path of its page."""
    report_id = await secretariat.file_report()
    made = await seat.send(
        f"/desk/report/{report_id}/case",
        urgency="life", working_group="women", kind="person", people="1", name="Marisol Quispe",
    )  # fmt: skip
    assert made.status == 200, made.text
    return made.path


async def verify_case(seat: Seat, path: str, *, sources: tuple[str, ...] = ("member_near",)) -> Answer:
    """Everything that verification needs, and the word that it is verified."""
    await seat.send(f"{path}/mandate", mandate="inside", mandate_reason="she defends land")
    for source in sources:
        await seat.send(f"{path}/corroboration", source=source, corroboration="we saw it")
    await seat.send(f"{path}/grades", reliability="B", validity="2")
    await seat.send(f"{path}/risks", risk_act="they may move her", risk_wait="she may be hurt")
    return await seat.send(f"{path}/verify")


def case_id_in(path: str) -> UUID:
    """The case that a page is about."""
    return UUID(path.rsplit("/", 1)[1])


async def find_case(secretariat: Secretariat, path: str) -> Case:
    """The case as it is stored now."""
    async with secretariat.runtime.record.reading() as conn:
        case = await store.find_case(conn, case_id_in(path))
    assert case
    return case
