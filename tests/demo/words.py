"""What the people of the story write: invented throughout, with numbers and addresses reserved for examples."""

from dataclasses import dataclass

from tests.demo.people import Staff

REPORT = {
    "what": "Antes del amanecer entraron dos camionetas sin placas a Quebrada Honda. Golpearon a Ximena Huarachi y a su"
    " hermano Wilmer, y avisaron que regresarían el viernes con excavadoras.",
    "whom": "La gente de Quebrada Honda, cerca de cuatrocientas casas. Ximena Huarachi es su vocera.",
    "where": "Quebrada Honda, kilómetro 41 del camino viejo a Tambo Chico",
    "urgency": "life",
    "reach": "Llamar solamente de noche al +44 7700 900861 y preguntar por la costurera",
}
# What is said of the case at the desk. All of it is sealed.
COMMUNITY, SPOKESPERSON = "Quebrada Honda", "Ximena Huarachi"
NOTES = {
    "contact": "Devolvimos la llamada a la costurera: Wilmer está hospitalizado.",
    "consent": "Pedido por teléfono a la asamblea reunida en la capilla.",
    "mandate": "Desalojo forzoso sin consulta previa.",
    "member": "El párroco escuchó los disparos y guarda fotografías.",
    "document": "Boletín policial que menciona las camionetas.",
    "risk_act": "Ximena podría quedar todavía más señalada.",
    "risk_wait": "Las excavadoras derribarían la escuelita.",
}


@dataclass(frozen=True)
class Words:
    """A text of an action in one language."""

    title: str
    summary: str
    body: str


@dataclass(frozen=True)
class Addressee:
    """Whom the letter is addressed to."""

    name: str
    title: str
    language: str
    email: str


ADDRESSEES = (
    Addressee("Ministerio del Territorio", "Despacho Ministerial", "es", "despacho@territorio.example"),
    Addressee("Brightwater Copper plc", "Chief Executive Officer", "en", "chief@brightwater.example"),
)

LETTER = {
    "es": Words(
        "Detengan el desalojo anunciado",
        "Unas 400 familias enfrentan un desalojo sin orden judicial. Pedimos al Estado y a la empresa que lo detengan,"
        " protejan a las personas amenazadas y dialoguen.",
        "Escribimos con profunda preocupación por unas 400 familias que enfrentan un desalojo sin orden judicial.\n\n"
        "Pedimos que se detenga el desalojo, que se proteja a quienes han recibido amenazas y que se abra un diálogo en"
        " el que la comunidad decida quién habla por ella.",
    ),
    "en": Words(
        "Stop the announced eviction",
        "About 400 families face eviction without a court order. We ask the State and the company to stop it, to"
        " protect those under threat, and to talk.",
        "We write with deep concern for about 400 families who face eviction without a court order.\n\n"
        "We ask that the eviction be stopped, that those who were threatened be protected, and that talks begin in"
        " which the community decides who speaks for it.",
    ),
    "fr": Words(
        "Arrêtez l’expulsion annoncée",
        "Environ 400 familles risquent une expulsion sans décision de justice. Nous demandons à l’État et à"
        " l’entreprise d’y renoncer, de protéger les personnes menacées et de dialoguer.",
        "Nous vous écrivons avec une vive inquiétude pour environ 400 familles menacées d’expulsion sans décision de"
        " justice.\n\nNous demandons que l’expulsion soit arrêtée, que les personnes menacées soient protégées et qu’un"
        " dialogue s’ouvre, dans lequel la communauté décide qui parle en son nom.",
    ),
    "ar": Words(
        "أوقفوا الإخلاء المعلن",
        "نحو ٤٠٠ أسرة مهددة بالإخلاء من دون أمر قضائي. نطلب من الدولة والشركة وقفه وحماية المهددين وفتح حوار.",
        "نكتب إليكم ببالغ القلق على نحو ٤٠٠ أسرة مهددة بالإخلاء من دون أمر قضائي.\n\n"
        "نطلب وقف الإخلاء، وحماية من تلقوا تهديدات، وفتح حوار تقرر فيه الجماعة نفسها من يتحدث باسمها.",
    ),
    "pt": Words(
        "Suspendam o despejo anunciado",
        "Cerca de 400 famílias enfrentam um despejo sem ordem judicial. Pedimos ao Estado e à empresa que o suspendam,"
        " protejam as pessoas ameaçadas e dialoguem.",
        "Escrevemos com profunda preocupação por cerca de 400 famílias que enfrentam um despejo sem ordem judicial.\n\n"
        "Pedimos que o despejo seja suspenso, que se protejam as pessoas ameaçadas e que se abra um diálogo em que a"
        " comunidade decida quem fala por ela.",
    ),
}

ALERT = {
    "es": Words(
        "Llamen hoy al ministerio",
        "El plazo vence mañana. Cada llamada cuenta.",
        "El plazo anunciado vence mañana. Llamen hoy y pregunten por la orden judicial.",
    ),
    "en": Words(
        "Call the ministry today",
        "The time given runs out tomorrow. Each call counts.",
        "The time given runs out tomorrow. Call today and ask for the court order.",
    ),
}


def make_staff() -> dict[str, Staff]:
    """The secretariat, by what each does in the story. The editor may approve, though never what she has written."""
    people = (
        Staff("tamsin", "Tamsin Okonjo-Vale", ("triage",), "lantern over quiet water", "es", on_duty=True,
              email="tamsin@secretariat.example", sms="+447700900971"),
        Staff("bogdan", "Bogdan Stanculescu", ("verifier",), "seven birch trees in a row"),
        Staff("edurne", "Edurne Zubizarreta", ("editor", "approver"), "a kettle sings at midnight"),
        Staff("thiago", "Thiago Vasconcelos", ("translator",), "paper boats along the kerb"),
        Staff("apinya", "Apinya Charoensuk", ("approver",), "slow rain on a tin roof"),
    )  # fmt: skip
    return dict(zip(("triager", "verifier", "editor", "translator", "approver"), people, strict=True))
