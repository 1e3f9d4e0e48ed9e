"""From one pair of hands to another: a hand-over counts once it is accepted; a case can be taken over at need."""

from datetime import datetime
from uuid import UUID, uuid4

from sos.jobs import Record
from sos.staff import store as staff_store
from sos.staff.staff import Person, Role
from sos.triage import handover_store, store
from sos.triage.case import CaseMoved, NotAColleague, NoteKind, require_alive, require_owner
from sos.triage.folder import Folder, open_folder


async def hand_over(record: Record, person: Person, case_id: UUID, *, to_id: UUID, note: str, now: datetime) -> None:
    """Offer the case to another triager; until she accepts, its owner has it. Raises NotYours, NotAColleague."""
    async with open_folder(record, person, case_id, now) as folder:
        require_alive(folder.case)
        require_owner(folder.case, person.id)
        triagers = {one.id for one in await staff_store.list_staff(folder.conn) if Role.TRIAGE in one.roles}
        if to_id not in triagers - {person.id}:
            raise NotAColleague
        await handover_store.take_back(folder.conn, case_id, now)
        await _insert(folder, from_id=person.id, to_id=to_id, accepted_at=None)
        await folder.write_note(NoteKind.HANDOVER, note)
        await folder.journal("case.handed_over", to=str(to_id))


async def take_back(record: Record, person: Person, case_id: UUID, now: datetime) -> None:
    """Keep a case that nobody has accepted yet. Raises NotYours, CaseMoved."""
    async with open_folder(record, person, case_id, now) as folder:
        require_owner(folder.case, person.id)
        if not await handover_store.take_back(folder.conn, case_id, now):
            raise CaseMoved
        await folder.journal("case.kept")


async def accept(record: Record, person: Person, case_id: UUID, now: datetime) -> None:
    """Take what was handed over: from now on the case is hers. Raises CaseMoved if it is not on its way to her."""
    async with open_folder(record, person, case_id, now) as folder:
        if not await handover_store.accept(folder.conn, case_id, person.id, now):
            raise CaseMoved
        await store.set_owner(folder.conn, case_id, person.id)
        await folder.journal("case.accepted")


async def take_over(record: Record, person: Person, case_id: UUID, *, reason: str, now: datetime) -> None:
    """Take a colleague's case without being asked: she may be asleep while a clock runs. Raises CaseMoved."""
    async with open_folder(record, person, case_id, now) as folder:
        require_alive(folder.case)
        owner_id = folder.case.owner_id
        if owner_id == person.id:
            raise CaseMoved
        await handover_store.take_back(folder.conn, case_id, now)
        await _insert(folder, from_id=owner_id, to_id=person.id, accepted_at=now)
        await store.set_owner(folder.conn, case_id, person.id)
        await folder.write_note(NoteKind.TAKEN_OVER, reason)
        await folder.journal("case.taken_over", owner=str(owner_id))


async def _insert(folder: Folder, *, from_id: UUID, to_id: UUID, accepted_at: datetime | None) -> None:
    handed = handover_store.Handed(folder.case.id, to_id, folder.now, accepted_at)
    await handover_store.insert(folder.conn, uuid4(), handed, from_id=from_id)
