"""Stand-ins for the providers: they keep state, misbehave on request and hold us to the published contracts."""

from tests.providers.certificates import Authority, make_authority
from tests.providers.mail import KeptMail, MailSink

__all__ = ["Authority", "KeptMail", "MailSink", "make_authority"]
