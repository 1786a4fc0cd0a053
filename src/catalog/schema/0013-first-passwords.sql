-- Until when a password that somebody else chose may be changed by its owner, ms since 1970; none: the owner chose it.
ALTER TABLE accounts ADD COLUMN first_until INTEGER;
