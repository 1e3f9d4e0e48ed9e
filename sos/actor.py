"""Who does something: the word that the journal keeps of them."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever did it: staff, contact, reporter, provider or the system itself."""

    kind: str
    id: UUID | None = None


SYSTEM = Actor("system")
