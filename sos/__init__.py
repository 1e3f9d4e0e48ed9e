"""The journey of one urgent action: from a report of danger to a letter signed by many.

members       who we are: member organisations, their people, and how each can be reached
staff         the secretariat: sign-in, keys, and who holds the key of what
ledger        every message to anybody: planned, claimed, marked, sent, settled, held
intake        a report of danger, sealed before its receipt is shown
triage        a report becomes a case: owner, clocks, verification, consent
actions       what the network will do: texts in many languages, approval by somebody else
outreach      who gets what by which channel; send now; stop sending
endorsements  one tap: a signature by one member on one exact text
letters       the text and its signatories, frozen, typeset, released, sent to the targets
inbound       what comes back from a provider, given to exactly one stage
desk          the secretariat's pages that put several stages side by side
"""
