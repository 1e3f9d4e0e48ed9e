"""Countries as people write them: codes, names in the network's languages, and the usual variants."""

from babel import Locale
from babel.core import get_global

from sos.members.member import Unacceptable, fold
from sos.texts import LANGUAGES

# What people write and the CLDR does not list. A name that fits two countries is in both, and so is asked about.
VARIANTS = {
    "AE": "UAE; EAU; Emirates; الإمارات",
    "BA": "Bosnia; Bosnie; البوسنة",
    "BO": "Plurinational State of Bolivia; Estado Plurinacional de Bolivia",
    "CD": "Congo; DR Congo; DRC; RD Congo; RDC; Congo (RDC); Congo DRC; Democratic Republic of the Congo; "
    "Democratic Republic of Congo; República Democrática do Congo; الكونغو; جمهورية الكونغو الديمقراطية",
    "CF": "RCA; CAR; Centrafrique",
    "CG": "Congo; Republic of the Congo; Republic of Congo; République du Congo; República del Congo; الكونغو",
    "CI": "Ivory Coast; Costa de Marfil; كوت ديفوار",
    "CV": "Cabo Verde",
    "CZ": "Czech Republic; República Checa; République tchèque",
    "DO": "Dominican Rep.; Rep. Dominicana; Rép. dominicaine",
    "GB": "Great Britain; Britain; England; Scotland; Wales; Northern Ireland; Inglaterra; Angleterre; بريطانيا",
    "GM": "The Gambia",
    "HK": "Hong Kong; Hongkong; هونغ كونغ",
    "IR": "Islamic Republic of Iran",
    "KP": "Korea; Corea; Corée; DPRK",
    "KR": "Korea; Corea; Corée; Republic of Korea; República de Corea; République de Corée",
    "LA": "Lao PDR; RDP Lao",
    "MD": "Republic of Moldova",
    "MK": "Macedonia",
    "MM": "Myanmar; Burma; Birmania; Birmanie; Birmânia; بورما",
    "MO": "Macau; Macao",
    "NL": "Holland; The Netherlands; Holanda; Hollande; هولندا",
    "PH": "The Philippines",
    "PS": "Palestine; State of Palestine; Palestina; فلسطين",
    "RU": "Russian Federation",
    "SY": "Syrian Arab Republic",
    "SZ": "Swaziland; Suazilandia; Swazilandia",
    "TL": "East Timor; Timor Oriental; Timor Leste",
    "TR": "Turkey; Türkiye; Turkiye",
    "TZ": "United Republic of Tanzania",
    "US": "United States of America; The United States; EEUU; EE. UU.; Estados Unidos de América; "
    "États-Unis d'Amérique; أمريكا",
    "VA": "Holy See",
    "VE": "Bolivarian Republic of Venezuela",
}


class CountryNames:
    """Finds the country that somebody means."""

    def __init__(self, codes: frozenset[str]) -> None:
        self._codes = codes
        self._found: dict[str, set[str]] = {}
        for language in LANGUAGES:
            for code, name in Locale(language).territories.items():
                self._learn(code, name)
        for alias, replacements in get_global("territory_aliases").items():  # USA, UK, 840
            if len(replacements) == 1 and alias not in codes:
                self._learn(replacements[0], alias)
        for code, variants in VARIANTS.items():
            for variant in variants.split(";"):
                self._learn(code, variant)

    def _learn(self, code: str, name: str) -> None:
        if code in self._codes:
            self._found.setdefault(_spelt_out(name), set()).add(code)

    def find(self, text: str) -> str:
        """The ISO 3166-1 alpha-2 code. Raises Unacceptable for a name that means none, or more than one."""
        if text.upper() in self._codes:
            return text.upper()
        match list(self._found.get(_spelt_out(text), ())):
            case [code]:
                return code
            case _:
                raise Unacceptable("import.country.unknown")


def _spelt_out(name: str) -> str:
    return fold(name.replace("&", " and ").replace("St.", "Saint"))
