-- What was taken in is kept from that day on, where it was used on an earlier one: these rows are made again at the next start.
DELETE FROM retention WHERE session IN (SELECT session FROM imported);
