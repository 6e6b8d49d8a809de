/** Texts with one mistake each, and what is said: `line:column`, then Exim's sentence. `ours`: Exim 4.96 says something else. */
export const singleMistakes: readonly {
  readonly text: string
  readonly says: string
  readonly ours?: true
}[] = [
  { text: 'queue_only yes\n', says: '1:12 extra characters follow boolean option queue_only' },
  {
    text: 'queue_only = yes no\n',
    says: '1:18 extra characters follow "yes" for boolean option queue_only',
  },
  {
    text: 'queue_only = yes # no\n',
    says: '1:18 extra characters follow "yes" for boolean option queue_only (# is comment only at line start)',
  },
  {
    text: 'no_queue_only # no\n',
    says: '1:15 extra characters follow boolean option no_queue_only (# is comment only at line start)',
  },
  {
    text: 'queue_only_load = 5 # no\n',
    says: '1:20 extra characters follow fixed-point value for queue_only_load (# is comment only at line start)',
  },
  {
    text: 'smtp_accept_max = 5 # no\n',
    says: '1:21 extra characters follow integer value for smtp_accept_max (# is comment only at line start)',
  },
  { text: 'smtp_accept_max = 4T\n', says: '1:19 absolute value of integer "4T" is too large (overflow)' },
  {
    text: 'check_log_space = 9223372036854775808\n',
    says: '1:19 absolute value of integer "9223372036854775808" is too large (overflow)',
  },
  { text: 'delay_warning = "1h:2h"\n', says: '1:17 invalid time value for delay_warning' },
  { text: 'delay_warning = 1h:\n', says: '1:19 invalid time value for delay_warning' },
  { text: 'delay_warning = 3551w\n', says: '1:17 invalid time value for delay_warning' },
  { text: 'delay_warning = 1h:1h\n', says: '1:20 time value out of order for delay_warning' },
  { text: 'delay_warning = 1h : 5m\n', says: '1:22 time value out of order for delay_warning' },
  {
    text: 'errors_reply_to = postmaster\n',
    says: '1:19 errors_reply_to (postmaster) does not contain a domain',
  },
  {
    text: 'errors_reply_to = a@b, c@d\n',
    says: '1:19 error in errors_reply_to (a@b, c@d): malformed address: , c@d may not follow a@b',
  },
  {
    text: 'local_sender_retain\n',
    says: '1:1 both local_from_check and local_sender_retain are set; this combination is not allowed',
  },
  {
    text: 'uucp_from_pattern = ^[\n',
    says: '1:21 regular expression error: missing terminating ] for character class at offset 2 while compiling ^[',
  },
  { text: 'smtp_accept_max = abc\n', says: '1:19 integer expected for smtp_accept_max' },
  { text: 'smtp_accept_max =\n', says: '1:18 integer expected for smtp_accept_max' },
  { text: 'smtp_accept_max = 019\n', says: '1:21 extra characters follow integer value for smtp_accept_max' },
  { text: 'smtp_accept_max = 4G\n', says: '1:19 absolute value of integer "4G" is too large (overflow)' },
  { text: 'recipients_max = x\n', says: '1:18 integer expected for recipients_max' },
  { text: 'smtp_receive_timeout = x\n', says: '1:24 invalid time value for smtp_receive_timeout' },
  { text: 'delay_warning = 3h:zz\n', says: '1:20 invalid time value for delay_warning' },
  { text: 'queue_only_load = x\n', says: '1:19 fixed-point number expected for queue_only_load' },
  {
    text: 'queue_only_load = 3.5x\n',
    says: '1:22 extra characters follow fixed-point value for queue_only_load',
  },
  {
    text: 'qualify_domain = "foo" bar\n',
    says: '1:24 extra characters follow string value for qualify_domain',
  },
  { text: 'qualify_domain\n', says: '1:1 unexpected end of line (data missing) after qualify_domain' },
  {
    text: 'qualify_domain = a\nqualify_domain = b\n',
    says: '2:1 "qualify_domain" option set for the second time',
  },
  { text: 'no_queue_only = true\n', says: '1:15 extra characters follow boolean option no_queue_only' },
  { text: 'hide\n', says: '1:5 main option "" unknown' },
  { text: 'hide hide smtp_banner = a\n', says: '1:6 main option "hide" unknown' },
  { text: '9x = 3\n', says: '1:1 option setting expected: 9x = 3' },
  { text: '.foo\n', says: '1:1 option setting expected: .foo' },
  { text: 'domainlist foo\n', says: `1:12 missing '=' after "foo"` },
  { text: 'domainlists foo = a\n', says: '1:1 unrecognized configuration line' },
  { text: 'domainlist_cached foo = a\n', says: '1:1 unrecognized configuration line' },
  { text: 'AA == 1\n', says: `1:1 can't redefine an undefined macro "AA"` },
  {
    text: 'AA = 1\nAAB = 2\n',
    says: '2:1 "AAB" cannot be defined as a macro because previously defined macro "AA" is a substring',
  },
  { text: 'AA\n', says: '1:1 malformed macro definition' },
  { text: 'Qa-b = 1\n', says: '1:1 malformed macro definition' },
  { text: '.else\n', says: '1:1 .else without matching .ifdef' },
  { text: '.include_if_exists rel\n', says: '1:20 .include specifies a non-absolute path "rel"' },
  { text: '.include rel/x\n', says: '1:10 failed to open included configuration file /c/rel/x', ours: true },
  {
    text: '.include /c/main\n',
    says: '1:10 included configuration files are nested too deeply at /c/main',
    ours: true,
  },
  {
    text: 'begin local_scan\nfoo = 1\n',
    says: '1:7 local_scan() options not supported: (LOCAL_SCAN_HAS_OPTIONS not defined in Local/Makefile)',
  },
  { text: 'begin acl\nbegin acl\n', says: '2:7 "acl" section is repeated in the configuration file' },
  {
    text: 'begin acl\na:\nreject_all\n',
    says: '3:1 error in ACL: unknown ACL verb "reject_all" in "reject_all"',
  },
  { text: 'begin acl\n accept\n', says: '2:2 missing or malformed ACL name' },
  { text: 'begin acl\na:\n accept\na:\n deny\n', says: '4:1 there are two ACLs called "a"' },
  {
    text: 'begin routers\na:\n driver = accept\n verify_only\n no_more\n driver = accept\n',
    says: '6:2 "driver" option set for the second time',
  },
  {
    text: 'begin transports\na:\n driver = smtp"\n',
    says: '3:11 transport a: cannot find transport driver "smtp""',
  },
  {
    text: 'begin transports\na:\n driver = "sm\\"tp"\n',
    says: '3:12 transport a: cannot find transport driver "sm"tp"',
  },
  {
    text: 'begin transports\na:\n driver =\n',
    says: '3:9 transport a: cannot find transport driver ""',
  },
  {
    text: 'begin transports\na: # local\n driver = smtp\n',
    says: '2:4 extra characters follow driver name a (# is comment only at line start)',
  },
  {
    text: 'begin acl\na: accept hosts = *\n message = x\n',
    says: '3:2 error in ACL: unknown ACL verb "message" in "message = x"',
  },
  { text: 'begin routers\n driver = accept\n', says: '2:2 router name missing' },
  {
    text: 'begin transports\na: driver = smtp\n driver = smtp\n',
    says: '2:4 extra characters follow driver name a',
  },
  {
    text: 'begin transports\na:\n driver = smtp\na:\n driver = smtp\n',
    says: '4:1 there are two transports called "a"',
  },
  {
    text: 'begin transports\na:\n driver = smtp\n driver = smtp\n',
    says: '4:2 "driver" option set for the second time',
  },
  {
    text: 'begin transports\na:\n hosts = b\n driver = smtp\n',
    says: '3:2 option "hosts" unknown ("driver" must be specified before any private options)',
  },
  {
    text: 'begin transports\na:\n driver\n driver = smtp\n',
    says: '3:2 unexpected end of line (data missing) after driver',
  },
  {
    text: 'begin routers\na:\n driver = accept\n',
    says: '2:1 a router: a transport is required for this router',
  },
  {
    text: 'begin routers\na:\n driver = redirect\n',
    says: '2:1 a router: one of "file" or "data" must be specified',
  },
  {
    text: 'begin routers\na:\n driver = redirect\n data = x\nb:\n driver = redirect\n data = x\n pass_router = a\n',
    says: '8:2 new_router "a" does not follow "b" router',
  },
  {
    text: 'begin transports\na:\n driver = smtp\n headers_rewrite = a@b c@d : x\n',
    says: '4:30 missing rewrite replacement string',
  },
  {
    text: 'begin rewrite\n*@a.b $1@c.d SE\n',
    says: '2:1 rewrite rule has the S flag but is not a regular expression',
  },
  { text: 'begin retry\n*\n', says: '2:1 missing error type in retry rule' },
  {
    text: 'begin retry\n* mail_4 F,2h,15m\n',
    says: '2:3 mail_4 must be followed by xx, dx, or dd, where x is literal and d is any digit',
  },
  {
    text: 'begin retry\n* RCPT_4XX F,2h,15m\n',
    says: '2:3 RCPT_4 must be followed by xx, dx, or dd, where x is literal and d is any digit',
  },
  { text: 'begin retry\n* refused_B F,2h,15m\n', says: '2:3 A or MX expected after "refused"' },
  {
    text: 'begin retry\n* timeout_B F,2h,15m\n',
    says: '2:3 "A", "MX", or "connect" expected after "timeout"',
  },
  {
    text: 'begin retry\n* * senders a@b F,2h,15m\n',
    says: '2:5 "=" expected after "senders" in retry rule',
  },
  { text: 'begin retry\n* quota_ F,2h,15m\n', says: '2:3 bad time value' },
  { text: 'begin retry\n* * F ,2h,15m\n', says: '2:6 comma expected' },
  { text: 'begin retry\n* * F,2h ,15m\n', says: '2:9 comma expected' },
  { text: 'begin retry\n* * X,2h,15m\n', says: '2:5 unknown retry rule letter' },
  { text: 'begin retry\n* * G,2h,15m\n', says: '2:13 comma expected' },
  { text: 'begin retry\n* * F,2h,15q\n', says: '2:5 bad parameters for retry rule' },
  { text: 'begin retry\n* * G,2h,15m,0.5\n', says: '2:5 bad parameters for retry rule' },
  { text: 'begin retry\n* * F,2h,15m junk\n', says: '2:14 semicolon expected' },
  { text: 'log_selector = +subject -nix\n', says: '1:25 unknown log_selector setting: -nix' },
  {
    text: 'log_selector = nix\n',
    says: '1:16 malformed log_selector setting: + or - expected but found "nix"',
  },
  {
    text: 'begin authenticators\na:\n driver = plaintext\n public_name = X\n server_condition = 1\nb:\n driver = plaintext\n public_name = x\n server_condition = 1\n',
    says: '8:2 two server authenticators (a and b) have the same public name (X)',
  },
]
