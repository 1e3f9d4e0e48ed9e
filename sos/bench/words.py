"""What the measured action says in five languages; invented throughout."""

from sos.actions.action import Text
from sos.intake.report import Told

REPORT = Told(
    what="Since Monday armed men stand at the entrance of the settlement, and two houses were burnt last night.",
    whom="About 400 families.",
    where="The settlement behind the salt works.",
    reach="By this receipt.",
)

LETTER = {
    "en": Text(
        "Stop the eviction at the salt works",
        "About 400 families face eviction without a court order. We ask the State and the company to stop it, to"
        " protect those who were threatened, and to begin talks in which the community decides who speaks for it.",
        "Dear Minister,\n\nAbout 400 families face eviction without a court order. We ask that it be stopped.",
    ),
    "es": Text(
        "Detengan el desalojo de las salinas",
        "Unas 400 familias enfrentan un desalojo sin orden judicial. Pedimos al Estado y a la empresa que lo detengan,"
        " que protejan a las personas amenazadas y que abran un diálogo en el que la comunidad decida quién la"
        " representa.",
        "Señor Ministro:\n\nUnas 400 familias enfrentan un desalojo sin orden judicial. Pedimos que se detenga.",
    ),
    "fr": Text(
        "Arrêtez l’expulsion des salines",
        "Environ 400 familles risquent une expulsion sans décision de justice. Nous demandons à l’État et à"
        " l’entreprise d’y renoncer, de protéger les personnes menacées et d’ouvrir un dialogue dans lequel la"
        " communauté décide qui parle en son nom.",
        "Monsieur le Ministre,\n\nEnviron 400 familles risquent une expulsion sans décision de justice. Nous demandons"
        " qu’elle soit arrêtée.",
    ),
    "ar": Text(
        "أوقفوا إخلاء الملاحات",
        "نحو ٤٠٠ أسرة مهددة بالإخلاء من دون أمر قضائي. نطلب من الدولة والشركة وقفه، وحماية من تلقوا تهديدات، وفتح حوار"
        " تقرر فيه الجماعة نفسها من يتحدث باسمها.",
        "سيدي الوزير،\n\nنحو ٤٠٠ أسرة مهددة بالإخلاء من دون أمر قضائي. نطلب وقفه.",
    ),
    "pt": Text(
        "Suspendam o despejo das salinas",
        "Cerca de 400 famílias enfrentam um despejo sem ordem judicial. Pedimos ao Estado e à empresa que o suspendam,"
        " que protejam as pessoas ameaçadas e que abram um diálogo em que a comunidade decida quem fala por ela.",
        "Senhor Ministro,\n\nCerca de 400 famílias enfrentam um despejo sem ordem judicial. Pedimos que seja suspenso.",
    ),
}
MINISTER = ("Ministry of Housing", "Office of the Minister")
