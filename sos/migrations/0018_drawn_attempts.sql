-- The number of an attempt is drawn by whoever makes it, who then knows it also where the database's answer is lost.
DROP SEQUENCE delivery_attempts;
