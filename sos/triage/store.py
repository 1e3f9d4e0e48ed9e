"""The SQL of cases, and of those in danger and what they allow."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString
from uuid import UUID

from sos.database import Connection, row, rows, run
from sos.triage.case import Case, ConsentValue, Ending, Mandate, State, SubjectKind

_CASES: LiteralString = """
    SELECT c.id, c.report_id, c.number, c.urgency, c.owner_id, h.to_id AS handed_to, c.working_group, c.state,
           c.opened_at, c.first_contact_due_at, c.decision_due_at, c.first_contact_at, c.waiting_since,
           c.decided_at, c.mandate, c.ending, c.country
    FROM cases c LEFT JOIN handovers h ON h.case_id = c.id AND h.accepted_at IS NULL AND h.taken_back_at IS NULL
    """


@dataclass(frozen=True, slots=True)
class SubjectRow:
    """Somebody in danger as stored."""

    id: UUID
    kind: SubjectKind
    people: int
    name_sealed: bytes


@dataclass(frozen=True, slots=True)
class ConsentRow:
    """One answer to one scope as stored."""

    id: UUID
    subject_id: UUID
    scope: str
    value: ConsentValue
    how_sealed: bytes
    recorded_by: UUID
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Verifier:
    """Somebody who took part in verifying a case."""

    id: UUID


async def insert_case(conn: Connection, case: Case) -> bool:
    """Whether this made the case: one report makes one."""
    return await run(
        conn,
        """
        INSERT INTO cases (id, report_id, number, urgency, owner_id, working_group, state, opened_at,
                           first_contact_due_at, decision_due_at, country)
        VALUES (%(id)s, %(report)s, %(number)s, %(urgency)s, %(owner)s, %(group)s, %(state)s, %(opened_at)s,
                %(contact_due)s, %(decision_due)s, %(country)s)
        ON CONFLICT (report_id) DO NOTHING
        """,
        id=case.id, report=case.report_id, number=case.number, urgency=case.urgency, owner=case.owner_id,
        group=case.working_group, state=case.state, opened_at=case.opened_at,
        contact_due=case.first_contact_due_at, decision_due=case.decision_due_at, country=case.country,
    ) == 1  # fmt: skip


async def find_case(conn: Connection, case_id: UUID) -> Case | None:
    return await row(
        conn,
        Case,
        _CASES + "WHERE c.id = %(id)s",
        id=case_id,
    )


async def find_case_of_report(conn: Connection, report_id: UUID) -> Case | None:
    return await row(
        conn,
        Case,
        _CASES + "WHERE c.report_id = %(report)s",
        report=report_id,
    )


async def lock_case(conn: Connection, case_id: UUID) -> Case | None:
    """The case, locked until the step ends, so that what is done to it happens one after another."""
    await run(conn, "SELECT FROM cases WHERE id = %(id)s FOR UPDATE", id=case_id)
    return await find_case(conn, case_id)


async def list_cases(conn: Connection) -> list[Case]:
    """Every case that is not closed, the most urgent and the oldest first."""
    return await rows(
        conn,
        Case,
        _CASES
        + """
        WHERE c.state <> 'closed'
        ORDER BY array_position(ARRAY['life', 'serious', 'routine'], c.urgency), c.opened_at
        """,
    )


async def mark_first_contact(conn: Connection, case_id: UUID, now: datetime) -> bool:
    """Whether this was the first."""
    return await run(
        conn,
        "UPDATE cases SET first_contact_at = %(now)s WHERE id = %(id)s AND first_contact_at IS NULL",
        id=case_id, now=now,
    ) == 1  # fmt: skip


async def mark_decided(conn: Connection, case_id: UUID, now: datetime) -> bool:
    """Whether this was the decision; launching an action is one, closing the case is another."""
    return await run(
        conn,
        "UPDATE cases SET decided_at = %(now)s WHERE id = %(id)s AND decided_at IS NULL",
        id=case_id, now=now,
    ) == 1  # fmt: skip


async def set_state(conn: Connection, case_id: UUID, *, was: State, becomes: State) -> bool:
    """Whether the case was in the state that this change starts from."""
    return await run(
        conn,
        "UPDATE cases SET state = %(becomes)s WHERE id = %(id)s AND state = %(was)s",
        id=case_id, was=was, becomes=becomes,
    ) == 1  # fmt: skip


async def begin_waiting(conn: Connection, case_id: UUID, now: datetime) -> bool:
    """Whether the case was open, and waits now."""
    return await run(
        conn,
        "UPDATE cases SET state = 'waiting', waiting_since = %(now)s WHERE id = %(id)s AND state = 'open'",
        id=case_id, now=now,
    ) == 1  # fmt: skip


async def end_waiting(conn: Connection, case_id: UUID, waited: timedelta) -> bool:
    """Whether the case waited, and goes on; its decision is due later by as long as it waited."""
    return await run(
        conn,
        """
        UPDATE cases SET state = 'open', waiting_since = NULL, decision_due_at = decision_due_at + %(waited)s
        WHERE id = %(id)s AND state = 'waiting'
        """,
        id=case_id, waited=waited,
    ) == 1  # fmt: skip


async def end_case(conn: Connection, case_id: UUID, ending: Ending, now: datetime) -> bool:
    """Whether this closed the case."""
    return await run(
        conn,
        """
        UPDATE cases SET state = 'closed', ending = %(ending)s, waiting_since = NULL,
                         decided_at = coalesce(decided_at, %(now)s)
        WHERE id = %(id)s AND state <> 'closed'
        """,
        id=case_id, ending=ending, now=now,
    ) == 1  # fmt: skip


async def answer_mandate(conn: Connection, case_id: UUID, mandate: Mandate, state: State) -> None:
    await run(
        conn,
        "UPDATE cases SET mandate = %(mandate)s, state = %(state)s WHERE id = %(id)s",
        id=case_id, mandate=mandate, state=state,
    )  # fmt: skip


async def set_owner(conn: Connection, case_id: UUID, owner_id: UUID) -> None:
    await run(conn, "UPDATE cases SET owner_id = %(owner)s WHERE id = %(id)s", id=case_id, owner=owner_id)


async def insert_subject(conn: Connection, case_id: UUID, subject: SubjectRow) -> None:
    await run(
        conn,
        """
        INSERT INTO subjects (id, case_id, kind, people, name_sealed)
        VALUES (%(id)s, %(case)s, %(kind)s, %(people)s, %(name)s)
        """,
        id=subject.id, case=case_id, kind=subject.kind, people=subject.people, name=subject.name_sealed,
    )  # fmt: skip


async def list_subjects(conn: Connection, case_id: UUID) -> list[SubjectRow]:
    """Those in danger, in the order in which they were added."""
    return await rows(
        conn,
        SubjectRow,
        "SELECT id, kind, people, name_sealed FROM subjects WHERE case_id = %(case)s ORDER BY position",
        case=case_id,
    )


async def insert_consent(conn: Connection, answer: ConsentRow) -> None:
    await run(
        conn,
        """
        INSERT INTO consents (id, subject_id, scope, value, how_sealed, recorded_by, recorded_at)
        VALUES (%(id)s, %(subject)s, %(scope)s, %(value)s, %(how)s, %(by)s, %(at)s)
        """,
        id=answer.id, subject=answer.subject_id, scope=answer.scope, value=answer.value, how=answer.how_sealed,
        by=answer.recorded_by, at=answer.recorded_at,
    )  # fmt: skip


async def list_consents(conn: Connection, case_id: UUID) -> list[ConsentRow]:
    """Every answer that was ever recorded in a case, the oldest first."""
    return await rows(
        conn,
        ConsentRow,
        """
        SELECT c.id, c.subject_id, c.scope, c.value, c.how_sealed, c.recorded_by, c.recorded_at
        FROM consents c JOIN subjects s ON s.id = c.subject_id
        WHERE s.case_id = %(case)s ORDER BY c.position
        """,
        case=case_id,
    )


async def consent_values(conn: Connection, case_id: UUID, scope: str) -> dict[UUID, ConsentValue]:
    """What each subject of a case says to one scope now; one who was never asked says no."""
    latest = {answer.subject_id: answer.value for answer in await list_consents(conn, case_id) if answer.scope == scope}
    return {subject.id: latest.get(subject.id, ConsentValue.NO) for subject in await list_subjects(conn, case_id)}


async def verifiers_of(conn: Connection, case_id: UUID) -> frozenset[UUID]:
    """Everybody who ever graded or verified this case."""
    found = await rows(
        conn,
        Verifier,
        """
        SELECT graded_by AS id FROM grades WHERE case_id = %(case)s
        UNION SELECT verified_by FROM verifications WHERE case_id = %(case)s
        """,
        case=case_id,
    )
    return frozenset(verifier.id for verifier in found)
