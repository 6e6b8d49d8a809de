CREATE TABLE domains (domain_id INTEGER, domain TEXT, type TEXT, enabled TEXT, relay_address TEXT);
CREATE TABLE domainalias (domain_id INTEGER, alias TEXT);
CREATE TABLE users (user_id INTEGER, domain_id INTEGER, localpart TEXT, username TEXT, crypt TEXT, pop TEXT, smtp TEXT, type TEXT,
  enabled TEXT, on_forward TEXT, forward TEXT, unseen TEXT, on_vacation TEXT, vacation TEXT, maxmsgsize INTEGER, quota INTEGER, uid TEXT,
  on_spamassassin TEXT, sa_tag INTEGER);
CREATE TABLE blocklists (user_id INTEGER, blockval TEXT);
CREATE TABLE settings (name TEXT, value TEXT);
CREATE TABLE rewrites (old TEXT, new TEXT);
INSERT INTO domains VALUES (1, 'shop.example', 'local', '1', NULL), (2, 'club.example', 'local', '1', NULL),
  (3, 'branch.example', 'relay', '1', 'mx2.remote.example::25 byname'), (4, 'old.example', 'local', '0', NULL);
INSERT INTO domainalias VALUES (1, 'shop-alias.example');
INSERT INTO users VALUES
 (1,1,'anna','anna@shop.example','$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1','shop.example/anna',':self:','local','1','0',NULL,'0','0',NULL,0,0,'u1','1',5),
 (2,1,'bert','bert@shop.example','x','shop.example/bert',':self:','local','1','1','bert@remote.example','1','0',NULL,0,0,'u2','0',5),
 (3,1,'carl','carl@shop.example','x','shop.example/carl',':self:','local','1','0',NULL,'0','1','Ich bin''s nicht da, komme zurück.',1,0,'u1','0',5),
 (4,1,'sales','sales@shop.example','x','','anna@shop.example, "Bert B." <bert@shop.example>, dora@club.example','alias','1','0',NULL,'0','0',NULL,0,0,'u1','0',5),
 (5,1,'gone','gone@shop.example','x','shop.example/gone',':fail: gone to another shop','fail','1','0',NULL,'0','0',NULL,0,0,'u1','0',5),
 (6,1,'susp','susp@shop.example','x','shop.example/susp',':self:','local','0','0',NULL,'0','0',NULL,0,0,'u1','0',5),
 (7,2,'dora','dora@club.example','x','club.example/dora',':self:','local','1','0',NULL,'0','0',NULL,0,1,'u2','0',5),
 (8,2,'*','*@club.example','x','','dora+any@club.example','catch','1','0',NULL,'0','0',NULL,0,0,'u2','0',5),
 (9,1,'trash','trash@shop.example','x','',':blackhole:','alias','1','0',NULL,'0','0',NULL,0,0,'u1','0',5),
 (10,1,'o''neil','x','x','shop.example/oneil',':self:','local','1','0',NULL,'0','0',NULL,0,0,'u1','0',5);
INSERT INTO blocklists VALUES (1, 'pest@remote.example');
INSERT INTO settings VALUES ('maxsize', '1M');
INSERT INTO rewrites VALUES ('worker', 'anna');
