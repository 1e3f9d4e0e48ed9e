"""Stand-ins for the providers: they keep state, misbehave on request and hold us to the published contracts."""

from tests.providers.certificates import Authority, make_authority
from tests.providers.mail import KeptMail, MailSink
from tests.providers.standin import Answer, Fault
from tests.providers.telegram import ChatMessage, TelegramStandIn
from tests.providers.twilio import NUMBER, Sms, TwilioStandIn

__all__ = [
    "NUMBER",
    "Answer",
    "Authority",
    "ChatMessage",
    "Fault",
    "KeptMail",
    "MailSink",
    "Sms",
    "TelegramStandIn",
    "TwilioStandIn",
    "make_authority",
]
