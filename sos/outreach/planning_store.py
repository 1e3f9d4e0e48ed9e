"""The SQL of a launch: whom an action reaches, in which language, by which channels, in which order and when."""

from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import LiteralString
from uuid import UUID

from sos.config import FirstWave
from sos.database import Connection, rows
from sos.outreach.plan import Group

# Each contact in the first of her languages that is ready (else the original), or held until her own is; by every
# channel that an urgency allows, in her order. Of contacts who share an address the first who may sign gets the message
# there, in neutral words if one of them needs these. A preview counts, and a launch inserts, the rows of this choice.
PLANNED: LiteralString = """
    WITH audience AS (
        SELECT c.id, c.languages, c.channels, c.may_sign, c.may_wake, c.time_zone, c.quiet_from, c.quiet_until,
               c.joined_at, m.country, m.region, m.id AS member_id,
               coalesce(c.discreet, m.country = ANY(%(discreet_in)s)) AS is_discreet,
               %(rank)s > 0 AND %(calls)s <= (
                   SELECT count(DISTINCT d.about) FROM deliveries d
                   WHERE d.recipient_id = c.id AND d.purpose = 'action' AND d.urgency > 0
                     AND d.planned_at > %(week_ago)s AND d.state NOT IN ('ended', 'suppressed', 'shared')
               ) AS is_capped,
               (SELECT l FROM unnest(c.languages) WITH ORDINALITY AS own (l, n)
                WHERE l = ANY(%(ready)s) ORDER BY n LIMIT 1) AS ready_language,
               (SELECT l FROM unnest(c.languages) WITH ORDINALITY AS own (l, n)
                WHERE l = ANY(%(tongues)s) ORDER BY n LIMIT 1) AS wanted
        FROM contacts c JOIN members m ON m.id = c.member_id
        WHERE NOT c.paused
          AND (cardinality(%(regions)s::text[]) = 0 OR m.region = ANY(%(regions)s))
          AND (cardinality(%(groups)s::text[]) = 0 OR m.groups && %(groups)s::text[])
    ), ways AS (
        SELECT a.*, d.id AS address_id, d.channel, d.value_index, coalesce(d.country, a.country) AS phone_country,
               d.channel <> 'email' AS is_loud,
               row_number() OVER (
                   PARTITION BY a.id ORDER BY array_position(a.channels, d.channel) NULLS LAST, d.channel
               ) AS place
        FROM audience a JOIN addresses d ON d.owner_kind = 'contact' AND d.owner_id = a.id
        WHERE NOT EXISTS (SELECT FROM suppressions s WHERE s.channel = d.channel AND s.value_index = d.value_index)
    ), steps AS (
        SELECT w.*, CASE WHEN %(email_at_once)s AND NOT is_loud THEN 0 ELSE row_number() OVER (
                   PARTITION BY id, %(email_at_once)s AND NOT is_loud ORDER BY place
               ) - 1 END AS step,
               CASE WHEN wanted IS NOT NULL AND NOT wanted = ANY(%(ready)s) AND %(waits_until)s::timestamptz IS NOT NULL
                    THEN wanted END AS awaits
        FROM ways w WHERE %(every_way)s OR place = 1 OR channel = 'email'
    ), timed AS (
        SELECT s.*, coalesce(ready_language, %(original)s) AS language,
               row_number() OVER (
                   PARTITION BY channel, value_index ORDER BY is_capped, may_sign DESC, joined_at, id
               ) AS nth,
               bool_or(is_discreet) OVER (PARTITION BY channel, value_index) AS discreet,
               least(%(until)s, CASE WHEN awaits IS NULL THEN %(now)s ELSE %(waits_until)s END
                   + min(step) OVER (PARTITION BY channel, value_index)
                   * coalesce(make_interval(mins => %(minutes_apart)s::integer), %(until)s - %(now)s)) AS due_at
        FROM steps s
    ), chosen AS (
        SELECT t.*, CASE WHEN is_capped THEN 'capped' WHEN nth > 1 THEN 'shared' ELSE 'queued' END AS fate,
               is_loud AND is_quiet(due_at, time_zone, quiet_from, quiet_until) AS is_night,
               NOT is_loud OR %(rank)s = 0 AND (
                   t.may_wake OR t.country = ANY(%(near)s)
                   OR quiet_ends(due_at, time_zone, quiet_until) >= %(until)s
               ) AS wakes,
               CASE WHEN channel = 'sms' THEN coalesce(length.segments * price.usd, 0) ELSE 0 END AS cost_usd
        FROM timed t
        LEFT JOIN unnest(%(languages)s::text[], %(segments)s::integer[]) AS length (language, segments)
            ON length.language = t.language
        LEFT JOIN unnest(%(countries)s::text[], %(usd)s::numeric[]) AS price (country, usd)
            ON price.country = t.phone_country
    )
"""

# A correction goes to exactly those whom something reached, in the language and by the channel that reached them.
CORRECTED: LiteralString = """
    WITH chosen AS (
        SELECT c.id, c.languages, m.region, d.address_id, d.channel, d.language,
               coalesce(a.country, m.country) AS phone_country, 0 AS step,
               row_number() OVER (PARTITION BY c.id ORDER BY d.step, d.channel) AS place, 'queued' AS fate,
               %(now)s::timestamptz AS due_at, NULL::text AS awaits, d.discreet, d.may_wake AS wakes,
               d.channel <> 'email' AND is_quiet(%(now)s, c.time_zone, c.quiet_from, c.quiet_until) AS is_night,
               CASE WHEN d.channel = 'sms' THEN coalesce(length.segments * price.usd, 0) ELSE 0 END AS cost_usd
        FROM deliveries d
        JOIN contacts c ON c.id = d.recipient_id JOIN members m ON m.id = c.member_id
        JOIN addresses a ON a.id = d.address_id
        LEFT JOIN unnest(%(languages)s::text[], %(segments)s::integer[]) AS length (language, segments)
            ON length.language = d.language
        LEFT JOIN unnest(%(countries)s::text[], %(usd)s::numeric[]) AS price (country, usd)
            ON price.country = coalesce(a.country, m.country)
        WHERE d.about = %(corrects)s AND d.purpose = 'action'
          AND d.state IN ('marked', 'accepted', 'delivered', 'answered', 'unknown')
          AND NOT EXISTS (SELECT FROM suppressions s WHERE s.channel = a.channel AND s.value_index = a.value_index)
    )
"""

# The first wave: the first few of each channel and language in turn, of those whose message leaves at once.
WAVES: LiteralString = """
    , numbered AS (
        SELECT c.*, count(*) FILTER (WHERE place = 1 AND fate = 'queued') OVER () AS recipients,
               place = 1 AND fate = 'queued' AND due_at <= %(now)s AND (wakes OR NOT is_night)
                   AND channel <> 'by_hand' AS may_lead
        FROM chosen c
    ), ranked AS (
        SELECT l.*, row_number() OVER (PARTITION BY may_lead, channel, language ORDER BY id) AS nth_of_kind
        FROM numbered l
    ), waved AS (
        SELECT r.*, may_lead AND recipients > %(over)s AND row_number() OVER (
                   PARTITION BY may_lead ORDER BY nth_of_kind, channel, language
               ) <= %(size)s AS is_canary
        FROM ranked r
    )
"""


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is asked and how: everything that the choice depends on, as the query names it."""

    regions: list[str]
    groups: list[str]
    ready: list[str]
    original: str
    tongues: list[str]
    discreet_in: list[str]
    near: list[str]
    rank: int
    every_way: bool
    minutes_apart: int | None
    email_at_once: bool
    waits_until: datetime | None
    calls: int
    now: datetime
    week_ago: datetime
    until: datetime
    languages: list[str]
    segments: list[int]
    countries: list[str]
    usd: list[Decimal]
    corrects: UUID | None


async def preview(conn: Connection, audience: Audience) -> list[Group]:
    """Who would get what, counted by the very choice that a launch makes; and those whom no channel reaches."""
    query = CORRECTED + COUNTED if audience.corrects else PLANNED + COUNTED + UNREACHED
    return await rows(conn, Group, query, **asdict(audience))


COUNTED: LiteralString = """
    SELECT channel, language, phone_country AS country, region, fate, place = 1 AS is_first,
           due_at > %(now)s AND awaits IS NULL AS is_later, awaits IS NOT NULL AS is_awaiting,
           language <> languages[1] AS is_fallback, is_night AND wakes AS is_woken,
           is_night AND NOT wakes AS is_resting, discreet, count(*) AS count, sum(cost_usd) AS usd
    FROM chosen
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
"""

UNREACHED: LiteralString = """
    UNION ALL
    SELECT NULL, coalesce(ready_language, %(original)s), country, region, 'unreached', true, false, false,
           coalesce(ready_language, %(original)s) <> languages[1], false, false, is_discreet, count(*), 0
    FROM audience a WHERE NOT EXISTS (SELECT FROM ways w WHERE w.id = a.id)
    GROUP BY 2, 3, 4, 9, 12
    ORDER BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True)
class UnreachedRow:
    """A contact whom no channel reaches, as she lies sealed."""

    contact_id: UUID
    contact_sealed: bytes
    member_id: UUID
    member_sealed: bytes


async def unreached(conn: Connection, audience: Audience) -> list[UnreachedRow]:
    """Contacts of the audience without a channel, by that same choice."""
    return await rows(
        conn,
        UnreachedRow,
        PLANNED
        + """
        SELECT c.id AS contact_id, c.name_sealed AS contact_sealed, m.id AS member_id, m.names_sealed AS member_sealed
        FROM audience a JOIN contacts c ON c.id = a.id JOIN members m ON m.id = a.member_id
        WHERE NOT EXISTS (SELECT FROM ways w WHERE w.id = a.id) ORDER BY c.joined_at, c.id
        """,
        **asdict(audience),
    )


@dataclass(frozen=True, slots=True)
class Planned:
    """How many messages a launch made, and how many of them go first."""

    messages: int
    first_wave: int


async def plan_deliveries(
    conn: Connection, audience: Audience, wave: FirstWave, *, action_id: UUID, case_id: UUID | None
) -> Planned:  # fmt: skip
    """Write the ledger of an action in one statement. Whoever is spared, or shares a message, stands there too."""
    chosen = CORRECTED if audience.corrects else PLANNED
    await conn.execute("SET LOCAL statement_timeout = '10min'")  # a million rows take longer than a statement may else
    (planned,) = await rows(
        conn,
        Planned,
        chosen + WAVES + """
        , inserted AS (
            INSERT INTO deliveries (purpose, about, case_id, recipient_kind, recipient_id, channel, address_id,
                                    language, urgency, step, state, reason, due_at, expires_at, planned_at, settled_at,
                                    is_canary, may_wake, discreet, awaits, cost_usd)
            SELECT 'action', %(action)s, %(case)s, 'contact', id, channel, address_id, language, %(rank)s, step,
                   (CASE fate WHEN 'capped' THEN 'ended' ELSE fate END)::delivery_state,
                   CASE fate WHEN 'capped' THEN fate ELSE '' END, due_at, %(until)s, %(now)s,
                   CASE fate WHEN 'queued' THEN NULL ELSE %(now)s END, is_canary, wakes, discreet, awaits, cost_usd
            FROM waved ORDER BY is_canary DESC, channel, step, id
            ON CONFLICT DO NOTHING
            RETURNING state, is_canary
        )
        SELECT count(*) FILTER (WHERE state = 'queued') AS messages, count(*) FILTER (WHERE is_canary) AS first_wave
        FROM inserted
        """,
        **asdict(audience), action=action_id, case=case_id, over=wave.over, size=wave.size,
    )  # fmt: skip
    return planned
