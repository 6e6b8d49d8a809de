DROP TABLE IF EXISTS white
DROP TABLE IF EXISTS black
DROP TABLE IF EXISTS sent
CREATE TABLE white (address TEXT)
CREATE TABLE black (owner TEXT, address TEXT, reason TEXT)
CREATE TABLE sent (login TEXT, rcpt TEXT)
INSERT INTO white VALUES ('good@pest.example')
INSERT INTO black VALUES ('anna@shop.example', '%@pest.example', '554 5.7.1 not you'), ('bert@shop.example', 'x@remote.example', 'go away')
