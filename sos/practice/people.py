"""The invented staff of a practice network, one for each role, and the report that waits for them."""

from channels.base import ChannelName
from sos.intake.report import Told
from sos.staff.staff import Role
from sos.staff.steps import NewStaff

PASSPHRASE = "practice makes it safe"  # noqa: S105 - known to everybody, for a network that has no provider


def _staff(
    login: str, name: str, role: Role, language: str, time_zone: str, phone: str, *, on_duty: bool = False
) -> NewStaff:
    addresses = {ChannelName.EMAIL: f"{login}@secretariat.example", ChannelName.SMS: phone}
    return NewStaff(login, name, PASSPHRASE, frozenset({role}), language, time_zone, on_duty, addresses)


STAFF = (
    _staff("amara", "Amara Nwosu", Role.TRIAGE, "en", "Africa/Lagos", "+447700900001", on_duty=True),
    _staff("lucia", "Lucía Paredes", Role.VERIFIER, "es", "America/Bogota", "+447700900002"),
    _staff("noor", "Noor Haddad", Role.EDITOR, "en", "Asia/Amman", "+447700900003"),
    _staff("ines", "Inês Tavares", Role.TRANSLATOR, "pt", "Africa/Maputo", "+447700900004"),
    _staff("yannick", "Yannick Kouamé", Role.APPROVER, "fr", "Africa/Abidjan", "+447700900005"),
    _staff("salma", "سلمى بن عيسى", Role.TRIAGE, "ar", "Africa/Tunis", "+447700900006"),
    _staff("ravi", "Ravi Wickrama", Role.ADMINISTRATOR, "en", "Asia/Colombo", "+447700900007"),
)

FIRST_REPORT = Told(
    what="Desde el lunes hay hombres armados en la entrada de la comunidad. Anoche quemaron dos casas y dejaron una"
    " lista con nombres. La empresa dice que tenemos tres días para irnos. Nadie puede salir a vender.",
    whom="La comunidad de Agua Serena, unas 400 familias. Habla por ellas doña Eulalia Quispe.",
    where="Valle del río Serena, a cuatro horas de la capital de la provincia.",
    reach="Por este recibo. El teléfono lo usa también mi cuñado, que trabaja para la empresa: no llamen.",
)
