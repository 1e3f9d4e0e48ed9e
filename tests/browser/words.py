"""What people in the stories write, in each language."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """One story: who receives it, and everything that is typed on its way."""

    language: str
    triager: str
    region: str
    place: str
    what: str
    whom: str
    where: str
    reach: str
    note: str
    title: str
    summary: str
    body: str
    target: str
    office: str


ENGLISH = Words(
    language="en",
    triager="amara",
    region="asia_pacific",
    place="Willow Bend",
    what="Since Monday armed men stand at the entrance of the village. Last night they burnt two houses.",
    whom="The people of Willow Bend, about 400 families. Their spokesperson is R. Senanayake.",
    where="Willow Bend, four hours from the provincial capital",
    reach="Through this receipt only: others read this phone.",
    note="Told to a member nearby, in person.",
    title="Stop the eviction of 400 families",
    summary="Armed men surround a community of about 400 families. The company gives them three days. We ask the"
    " ministry to stop the eviction and to protect the people who live there.",
    body="We write as organisations of a network for human rights.\n\nSince Monday armed men have stood at the entrance"
    " of a community of about 400 families. Two houses were burnt.\n\nWe ask you to stop the eviction at once, to"
    " protect the families, and to say in public what you have done.",
    target="Ministry of Land",
    office="The Minister",
)

ARABIC = Words(
    language="ar",
    triager="salma",
    region="middle_east_north_africa",
    place="عين الصفصاف",
    what="منذ يوم الاثنين يقف رجال مسلحون عند مدخل القرية. أحرقوا الليلة الماضية بيتين وتركوا قائمة بالأسماء.",
    whom="أهالي عين الصفصاف، نحو 400 عائلة. تتحدث باسمهم السيدة ر. الحداد.",
    where="عين الصفصاف، على بعد أربع ساعات من مركز المحافظة",
    reach="عبر هذا الإيصال فقط، فغيري يقرأ هذا الهاتف.",
    note="أخبرت به عضوة قريبة من المكان، وجهاً لوجه.",
    title="أوقفوا إخلاء 400 عائلة من بيوتها",
    summary="يحاصر رجال مسلحون مجتمعاً من نحو 400 عائلة، وأمهلتهم الشركة ثلاثة أيام. نطلب من الوزارة أن توقف الإخلاء"
    " وأن تحمي من يعيشون هناك.",
    body="نكتب إليكم بصفتنا منظمات في شبكة لحقوق الإنسان.\n\nمنذ يوم الاثنين يقف رجال مسلحون عند مدخل مجتمع يضم نحو"
    " 400 عائلة، وقد أُحرق بيتان.\n\nنطلب منكم وقف الإخلاء فوراً وحماية العائلات وإعلان ما فعلتموه.",
    target="وزارة الأراضي",
    office="السيد الوزير",
)
