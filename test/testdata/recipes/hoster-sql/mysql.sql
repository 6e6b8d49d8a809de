DROP TABLE IF EXISTS domains, aliasdomains, users, aliases
CREATE TABLE domains (name VARCHAR(99), active INT)
CREATE TABLE aliasdomains (alias VARCHAR(99), target VARCHAR(99))
CREATE TABLE users (login VARCHAR(99), name VARCHAR(99), domain VARCHAR(99), crypt TEXT, clear TEXT, fullname TEXT, home TEXT, quota INT, vacation TEXT)
CREATE TABLE aliases (name VARCHAR(99), domain VARCHAR(99), target TEXT)
INSERT INTO domains VALUES ('shop.example', 1), ('off.example', 0)
INSERT INTO aliasdomains VALUES ('store.example', 'shop.example')
INSERT INTO users VALUES ('u1', 'anna', 'shop.example', '\$1\$abcdefgh\$cHJi5PXp/ki/ktXzqlk6I1', 'tanstaaf', 'Anna "A" Müller, Dr.', 'anna', 700, NULL), ('u2', 'bert', 'shop.example', '\{crypt\}\$1\$abcdefgh\$cHJi5PXp/ki/ktXzqlk6I1', NULL, 'Bert', 'bert', 0, 'Bin weg.  Grüße'), ('u3', 'o''neil', 'shop.example', '\{md5\}Xr4ilOzQ4PCOq3aQ0qbuaQ==', NULL, NULL, 'a b', 5000000, NULL)
INSERT INTO aliases VALUES ('all', 'shop.example', 'anna@shop.example'), ('all', 'shop.example', 'bert@shop.example'), ('gone', 'shop.example', ':fail: gone'), ('*', 'shop.example', 'bert@shop.example'), ('anna', 'shop.example', 'anna@shop.example'), ('anna', 'shop.example', 'x@remote.example')
