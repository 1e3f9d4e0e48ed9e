"""Which stage renders what: one line for each purpose of a delivery. A worker claims only what stands here."""

from sos.inbound import messages as inbound
from sos.ledger import messages as ledger
from sos.ledger.delivery import Purpose
from sos.letters import messages as letters
from sos.outreach import messages as outreach
from workers.rendering import Renderers

RENDERERS: Renderers = {
    Purpose.ACTION: outreach.render,
    Purpose.LETTER: letters.render_letter,
    Purpose.THANKS: letters.render_thanks,
    Purpose.NOTICE: ledger.render_notice,
    Purpose.REPLY: inbound.render_reply,
}
