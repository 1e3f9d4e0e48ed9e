-- She answered by this message; her address takes no more; somebody else at the same address got it.
-- In a migration of their own: a new value cannot be used in the transaction that adds it.
ALTER TYPE delivery_state ADD VALUE 'answered';
ALTER TYPE delivery_state ADD VALUE 'suppressed';
ALTER TYPE delivery_state ADD VALUE 'shared';
