/**
 * Every code that a finding may carry, and what stands behind it: what `postern explain-code CODE` prints and what
 * docs/reference/findings.md is made from. A code never changes its meaning.
 */

export interface CodeRow {
  /** One sentence: what is wrong. */
  readonly says: string
  /** What happens with it, and how it is mended. */
  readonly more: string
}

const row = (says: string, more: string): CodeRow => ({ says, more })

/** Sorted by code. */
export const codes: Readonly<Record<string, CodeRow>> = {
  'acl-condition-unknown': row(
    'A word in an ACL is neither a condition nor a modifier.',
    'Exim refuses to start. The help names the nearest word that exists; a condition that must not hold is written with ! before it.',
  ),
  'acl-condition-value': row(
    'The value of "condition" is no boolean.',
    'Exim answers 451 when the statement is reached. Write yes, no, true, false, a number, or ${if ...}.',
  ),
  'acl-control-not-working': row(
    'A control is known and has no effect yet.',
    'The statement runs as if the control were not there.',
  ),
  'acl-control-options': row(
    'A control that has no options is followed by a slash.',
    'Exim answers 451 when the statement is reached. Remove the slash and what follows it.',
  ),
  'acl-control-unknown': row(
    'A word after "control =" is no control.',
    'Exim answers 451 when the statement is reached.',
  ),
  'acl-decode-word': row(
    'A word of "decode" is nearly "default".',
    'Everything else is taken as the name of a file to decode into.',
  ),
  'acl-delay': row(
    'The time of "delay" is no time.',
    'Exim answers 451 when the statement is reached. Times have a unit: 20s, 1m30s.',
  ),
  'acl-dkim-word': row(
    'A word is no result of DKIM.',
    'The results are none, invalid, fail and pass; anything else never matches.',
  ),
  'acl-dmarc-early': row(
    'A variable of DMARC is read before the check can have run.',
    'The first dmarc_status condition of the DATA ACL makes the check; put one before the place.',
  ),
  'acl-dmarc-word': row(
    'A word is no result of DMARC.',
    'The results are accept, reject, quarantine, none, norecord, nofrom, temperror and off.',
  ),
  'acl-dnslists-list': row(
    'An item of dnslists is not one domain that is asked.',
    'Several lists in one item: Exim asks for a name made of both, or only one of them; the items are separated by colons. What follows a slash is what is looked up, not an option.',
  ),
  'acl-dnslists-value': row(
    'A value after the name of a DNS list is no IPv4 address.',
    'Lists answer with addresses such as 127.0.0.2; what is none never matches, and nothing says so when mail arrives.',
  ),
  'acl-drop': row(
    'A modifier is used with a verb that gives it no meaning.',
    'Remove it, or use another verb.',
  ),
  'acl-endpass': row(
    '"endpass" stands in a statement whose verb is not accept or discard.',
    'Exim refuses to start; it has a meaning with these two verbs alone.',
  ),
  'acl-equals-missing': row(
    'A condition or modifier has no "=".',
    'Exim refuses to start. Write NAME = VALUE.',
  ),
  'acl-header-position': row(
    'The place for an added header is not known.',
    'The places are :after_received:, :at_start:, :at_start_rfc: and :at_end:.',
  ),
  'acl-log-name': row(
    'logwrite names a log that there is none of.',
    'Exim writes a line about it to the panic log, and the text nowhere. The logs are main, reject and panic.',
  ),
  'acl-loop': row('An ACL may call itself.', 'At the twentieth call Exim gives up and answers 451.'),
  'acl-malware-option': row(
    'What stands behind a slash of "malware" is none of its options.',
    'Exim passes over it without a word. The options are defer_ok and tmo=INTERVAL; a slash in the pattern is doubled.',
  ),
  'acl-message-code': row(
    'The code in a message does not go with its verb.',
    'Exim uses its own code then and writes to the panic log. Codes of deny, drop and require begin with 5, those of defer with 4, those of accept with 2.',
  ),
  'acl-misplaced': row(
    'A condition, modifier or control stands in an ACL in which it cannot work.',
    'Exim answers 451 when the statement is reached. Move it to an ACL that runs at a time when what it needs is known.',
  ),
  'acl-name-missing': row(
    'A statement stands before the first name of an ACL.',
    'Begin the section with "NAME:".',
  ),
  'acl-name-twice': row('Two ACLs have one name.', 'Exim refuses to start. Rename one of them.'),
  'acl-negation': row('A modifier cannot be negated.', 'Remove the exclamation mark.'),
  'acl-not-working': row(
    'A condition is known and does not work yet.',
    'What it guards would stay open, so the start is refused.',
  ),
  'acl-ratelimit': row(
    'The number or the time of a rate limit is wrong.',
    'Exim answers 451 when the statement is reached. Write the number, a slash and the time: 100 / 1h.',
  ),
  'acl-ratelimit-word': row(
    'A word in a rate limit is nearly an option.',
    'What is no option becomes part of the key, so the limit counts for itself and without what was meant.',
  ),
  'acl-results-negated': row(
    'A list of DKIM or DMARC results has two negated items.',
    'It is read from left to right as any list is: it is true for every result that none of them names. In a list of "spf" each item stands alone.',
  ),
  'acl-set-dollar': row(
    'A dollar sign stands before the variable after "set".',
    'Exim refuses to start; here it is taken as the name without the sign, as texts of 2014 mean it.',
  ),
  'acl-spf-negated': row(
    'Two negated words in a list of SPF results match every result.',
    'Each item stands alone: "!fail : !pass" holds for all. Write the results that are meant.',
  ),
  'acl-spf-old-word': row(
    'err_perm and err_temp are words of 2014.',
    'Write permerror and temperror; the text of 2014 had the two exchanged.',
  ),
  'acl-spf-word': row(
    'A word is no result of SPF.',
    'The results are pass, fail, softfail, neutral, none, permerror, temperror and invalid.',
  ),
  'acl-too-long': row(
    'The ACLs of this configuration are too long.',
    'Split them, or move lists into files.',
  ),
  'acl-two-conditions': row(
    'Two conditions stand in one line of an ACL.',
    'A condition takes the rest of its line, so the second one is part of the list of the first. Each needs a line of its own.',
  ),
  'acl-unknown': row(
    'An ACL is named that does not exist.',
    'Exim takes the name for the text of an ACL and answers 451.',
  ),
  'acl-unreached': row(
    'A statement after one that always ends the ACL never runs.',
    'Give the earlier statement a condition, or remove what follows it.',
  ),
  'acl-variable': row(
    'The name of an ACL variable is wrong.',
    'Names are acl_c or acl_m and a digit or underscore with more letters: acl_m_spam.',
  ),
  'acl-verb-unknown': row(
    'A statement does not begin with a verb.',
    'The verbs are accept, defer, deny, discard, drop, require and warn.',
  ),
  'acl-verify-option': row(
    'An option of "verify" is not known.',
    'Exim answers 451 when the statement is reached. The help names the nearest option.',
  ),
  'acl-verify-unknown': row(
    'A word after "verify =" is nothing that can be verified.',
    'Exim refuses to start.',
  ),
  'acl-warn-message': row(
    'A warn has a message where no header can be added.',
    'Exim ignores it and writes to the panic log each time: on warn, message adds a header line, and there is no message in this ACL.',
  ),
  'appendfile-settings': row(
    'Settings of an appendfile transport contradict each other.',
    'Exim refuses to start. The message says which.',
  ),
  'authenticator-incomplete': row(
    'An authenticator lacks an option without which clients are not offered it, or cannot use it.',
    'Nothing says so before a client asks. The help names the option.',
  ),
  'autoreply-once-file-size': row('once_file_size has no effect without once.', 'Set once, or remove it.'),
  'av-scanner-unknown': row(
    'The first word of av_scanner is no scanner type.',
    'Exim defers each message that "malware" is asked about. The types avast, clamd, cmdline, f-prot6d, sock and sophie can be asked.',
  ),
  'av-scanner-unset': row(
    'The malware condition is used, and av_scanner is not set.',
    'Its default is sophie at /var/run/sophie: where that is not, each message is deferred.',
  ),
  'condition-not-working': row(
    'A condition of expansions is known and does not work here.',
    'The expansion fails when it is used.',
  ),
  'condition-unknown': row(
    'A word after ${if is no condition.',
    'The expansion fails when it is used. The help names the nearest condition.',
  ),
  'conditional-unmatched': row(
    '.else, .elifdef or .endif without its .ifdef, or the other way round.',
    'Exim refuses to start.',
  ),
  'directive-unknown': row(
    'A line looks like a misspelt directive.',
    'Exim passes it over without a word, and the branch it stands in goes on to the next directive that it knows.',
  ),
  'dkim-incomplete': row(
    'A transport names a DKIM domain and lacks the selector or the key.',
    'Messages go out without a signature, and nothing says so.',
  ),
  'dnsdb-type': row(
    'A dnsdb lookup asks for a type of record that it does not know.',
    'The lookup defers each time. The type stands before the equals sign: ${lookup dnsdb{mx=$domain}}.',
  ),
  'dovecot-socket': row(
    'A dovecot authenticator has no server_socket.',
    "Name the socket of Dovecot's auth service.",
  ),
  'driver-missing': row('A router, transport or authenticator has no "driver".', 'Exim refuses to start.'),
  'driver-pending': row(
    'A driver is known and does not work in this version.',
    'The start is refused, since addresses would go nowhere.',
  ),
  'driver-unknown': row('A driver does not exist.', 'Exim refuses to start. The help names the nearest one.'),
  'endif-missing': row(
    'A conditional of the configuration is still open at the end.',
    'Exim refuses to start. Each .ifdef, .ifndef and their kin needs an .endif; the mark stands at the one that is open.',
  ),
  'equals-missing': row(
    'An option has no equals sign.',
    'Exim refuses to start. Write NAME = VALUE; a switch may stand alone.',
  ),
  'eval-outside': row(
    'Something from outside is calculated with as it came.',
    'It is no matter of taint: what is no number, and what is empty, makes the expansion fail, so that an ACL answers 451 and a router defers. Look at it first, or keep its digits alone.',
  ),
  'expansion-arguments': row(
    'An item of an expansion has too few or too many arguments.',
    'The expansion fails when it is used.',
  ),
  'expansion-brace': row(
    'Braces of an expansion do not match.',
    'The expansion fails when it is used. Both ends are shown.',
  ),
  'expansion-constant': row(
    'An operator, an item or a condition fails each time, because an argument is constant and wrong.',
    'Nothing says so before the text is expanded. The sentence is the one that Exim gives then.',
  ),
  'expansion-number': row(
    'A number is compared with something that is none.',
    'The expansion fails each time with "invalid integer". K, M and G may follow a number; words are compared with eq.',
  ),
  'expansion-syntax': row('An expansion cannot be read.', 'The expansion fails when it is used.'),
  'file-closed': row(
    'A file cannot be read by the user under which Postern serves.',
    'Give the group of that user the right to read the file and to enter the folders above it.',
  ),
  'file-missing': row(
    'A file that is named does not exist.',
    'What asks for it defers or fails when mail arrives.',
  ),
  'file-unreadable': row(
    'The configuration file cannot be read.',
    'Look at its path and rights, and those of the folders above it.',
  ),
  'group-not-found': row('A group does not exist on this host.', 'Exim refuses to start.'),
  'gsasl-mechanism': row(
    'A gsasl authenticator names a mechanism that is not offered.',
    'SCRAM-SHA-1 and SCRAM-SHA-256 are.',
  ),
  'header-colon': row(
    'A header to be added has no colon.',
    'In an ACL Exim makes it the value of an X-ACL-Warn: header; in a router or a transport the line goes out as it is, and receivers may take it for the end of the headers. Write the name, a colon and the value.',
  ),
  'include-failed': row(
    'A file of .include cannot be read.',
    'Exim refuses to start; .include_if_exists passes over a file that is not there.',
  ),
  'include-no-name': row('.include names no file.', 'Exim refuses to start.'),
  'include-relative': row(
    '.include_if_exists names a file without its whole path.',
    'Begin the name with a slash.',
  ),
  'include-too-deep': row('Files include each other too deeply.', 'A file probably includes itself.'),
  'include-too-large': row(
    'The files of this configuration are too large together.',
    'Move lists into files of their own and look them up.',
  ),
  'instance-extra': row(
    'Something stands after the name of a router, transport or authenticator.',
    'Begin the options on the next line.',
  ),
  'instance-name-missing': row(
    'Options stand before the first name of the section.',
    'Begin the section with "NAME:".',
  ),
  'instance-name-twice': row(
    'Two routers, transports or authenticators have one name.',
    'Exim refuses to start.',
  ),
  'item-not-working': row(
    'An item of expansions is known and does not work here.',
    'The expansion fails when it is used; the help says what to do instead.',
  ),
  'item-unknown': row('A name after ${ is no item of expansions.', 'The expansion fails when it is used.'),
  'line-unrecognized': row('A line is neither a setting nor a macro.', 'Exim refuses to start.'),
  'list-address': row(
    'An item of a host list looks like an address and is none.',
    'It is looked up in the DNS as a name, which exists nowhere. Each number of an IPv4 address is at most 255.',
  ),
  'list-commas': row(
    'Commas stand between the items of a list.',
    'Exim\'s lists are separated by colons: all of it is one item, which never matches. Write colons, or begin the list with "<,".',
  ),
  'list-comment': row(
    'A comment stands behind the items of a list.',
    'A comment is a line that begins with #. Here it belongs to the last item, which then matches nothing.',
  ),
  'list-domain': row(
    'An item of a domain or local part list can be none.',
    'It never matches. Write "*.example.org" for what is below a domain; an asterisk stands at the beginning only.',
  ),
  'list-equals': row(
    'Two equals signs stand before a list.',
    'The second one is part of the first item, which then matches nothing. Write one.',
  ),
  'list-ipv6': row(
    'The colons of an IPv6 address separate the items of its list.',
    'Double each colon, or begin the list with another separator: "<; 127.0.0.1 ; ::1".',
  ),
  'list-lookup': row(
    'A list asks a lookup type that cannot work here.',
    'Mail that comes to the item is deferred.',
  ),
  'list-lookup-colon': row(
    'A colon stands between the type of a lookup and its file.',
    'The two become items of their own, which match nothing. Write "lsearch;/path".',
  ),
  'list-loop': row('A named list contains itself.', 'Exim cannot match anything against it.'),
  'list-mask': row(
    'An address with a mask that cannot be.',
    'The item never matches. A mask is the number of bits that count.',
  ),
  'list-name-twice': row('Two named lists of one kind have one name.', 'Exim refuses to start.'),
  'list-plus': row(
    'An item of a list is called as a named list is.',
    'Without a plus sign before it, it is the name of a domain or host, which matches nothing. Write "+name".',
  ),
  'list-request': row(
    'An item of a list asks for something that does not exist.',
    'The item begins with + or @ and is none of the known ones.',
  ),
  'list-spaces': row(
    'Spaces stand between what should be items of a list.',
    'It is one item, which matches nothing. The items are separated by colons.',
  ),
  'list-unknown': row(
    'A list contains +NAME, and no list of this kind has that name.',
    'Exim defers whenever the list is matched.',
  ),
  'list-word': row(
    'A list holds the word of a switch.',
    '"yes" is taken for a name. Write "*" for everything; an empty list is nothing.',
  ),
  'lmtp-settings': row('An lmtp transport needs either command or socket.', 'Exim refuses to start.'),
  'local-scan': row(
    'There is a local_scan section.',
    'This program runs no local_scan function of C. What it did can be said in acl_smtp_data.',
  ),
  'log-selector': row(
    'A word of log_selector is not known.',
    'Exim refuses to start. Each word is +name or -name; the help names the nearest.',
  ),
  'lookup-not-working': row(
    'A lookup type is known and does not work here.',
    'The help says what to do instead.',
  ),
  'lookup-unknown': row(
    'A lookup type does not exist.',
    'The expansion fails when it is used. The help names the nearest type.',
  ),
  'macro-contains-macro': row(
    'A macro has a name that holds the name of an earlier macro.',
    'The earlier one would be replaced inside it. Rename one.',
  ),
  'macro-defined-twice': row('A macro is defined a second time.', 'Write == to give it another value.'),
  'macro-late': row(
    'The name of a macro stands in a line before its definition.',
    'There it stays as it is written: a macro is replaced in the lines after its definition.',
  ),
  'macro-malformed': row(
    'The definition of a macro cannot be read.',
    'Write NAME = VALUE; names begin with an upper case letter.',
  ),
  'macro-too-long': row('A line becomes too long when its macros are replaced.', 'Move lists into files.'),
  'macro-undefined': row('A macro is given another value and was never defined.', 'Write = instead of ==.'),
  'ocsp-unverified': row(
    'hosts_require_ocsp without a verified certificate.',
    'A stapled proof is signed by the authority of the certificate: without tls_verify_certificates nobody knows which that is.',
  ),
  'open-relay': row(
    'Any client may send to any address through this host.',
    'Such hosts are found within hours and end on block lists. Accept only domains of yours, clients of yours, or those who logged in.',
  ),
  'operator-not-working': row(
    'An operator of expansions is known and does not work here.',
    'The expansion fails when it is used.',
  ),
  'operator-unknown': row(
    'A name before a colon in ${name:...} is no operator.',
    'The expansion fails when it is used.',
  ),
  'option-negated': row('An option that is not a boolean is written with no_ or not_.', 'Give it a value.'),
  'option-pending': row('An option is read and has no effect yet.', 'What it asks for does not happen.'),
  'option-pending-secures': row(
    'An option does not work yet, and without it the server would be less safe than asked for.',
    'The start is refused until it is removed.',
  ),
  'option-renamed': row('An option is written by an older name.', 'It works; write the name of today.'),
  'option-set-twice': row('An option is set a second time.', 'Exim refuses to start.'),
  'option-unknown': row(
    'An option does not exist, or not in this place.',
    'Exim refuses to start. The help names the nearest option, or the place to which it belongs.',
  ),
  'perl-startup': row(
    'A Perl subroutine is called, and no option says what code defines it.',
    'The expansion fails when it is reached, as in Exim. Set perl_startup.',
  ),
  'proxy-list-local': row(
    'hosts_proxy holds the addresses of this host itself.',
    'Programs here that speak SMTP to it would have to begin with a PROXY header.',
  ),
  'public-name-twice': row('Two authenticators serve one mechanism.', 'Exim refuses to start.'),
  'queuefile-settings': row('A queuefile transport has no directory.', 'Set its option directory.'),
  'quote-missing': row(
    'A quoted value has no closing quote.',
    'Exim refuses to start. A value that begins with a double quote ends with one; a backslash stands before quotes within.',
  ),
  'redirect-special': row(
    'The data of a redirect router begins with a word between colons that means nothing.',
    'Exim takes it for an address and defers. The words are :blackhole:, :defer:, :fail:, :include: and :unknown:.',
  ),
  'redirect-transport': row(
    'A redirect router delivers to a file or a command without a transport for it.',
    'Addresses are deferred when mail comes. The help names the option.',
  ),
  'redis-nil': row(
    'A string for "not found" after a Redis lookup that is never used.',
    'For a key that does not exist Redis answers nil, which counts as an empty result, as in Exim. With the option nil=fail it counts as not found.',
  ),
  'reference-backwards': row(
    'A router sends addresses back to an earlier router.',
    'pass_router and redirect_router name a later one, or the loop is meant.',
  ),
  'reference-undefined': row('A router or transport is named that does not exist.', 'Exim refuses to start.'),
  regex: row(
    'A regular expression does not compile.',
    'What uses it defers or fails when mail arrives. The offset counts from 0.',
  ),
  'regex-backslash': row(
    'A backslash of a regular expression is lost when the string is expanded.',
    'What is left means something else: "\\d" becomes "d". Write two backslashes, or put the expression between \\N and \\N.',
  ),
  'report-sender': row(
    'The sender of reports about DMARC is no address.',
    'Reports go out with an empty envelope sender, from do-not-reply at this host.',
  ),
  'retry-error-missing': row('A retry rule has no name of an error.', 'Write * for all errors.'),
  'retry-error-obsolete': row('The name of an error in a retry rule is obsolete.', 'The rule never applies.'),
  'retry-error-unknown': row(
    'The name of an error in a retry rule does not exist.',
    'Exim refuses to start.',
  ),
  'retry-interval': row('The times of a retry rule cannot be read.', 'Write F,2h,15m; G,16h,1h,1.5.'),
  'retry-senders': row('senders= of a retry rule cannot be read.', 'Write senders=LIST after the error.'),
  'retry-swapped': row(
    'The interval of a retry rule is longer than the time for which it holds.',
    'Most often the two are swapped: F,2h,15m is every 15 minutes for two hours.',
  ),
  'retry-unreached': row(
    'A retry rule stands behind one that matches everything.',
    'The first rule that matches counts. Move "* *" to the end.',
  ),
  'rewrite-flag': row('A rewriting rule has a flag that does not exist.', 'Exim refuses to start.'),
  'rewrite-incomplete': row('A rewriting rule has no replacement.', 'Write PATTERN REPLACEMENT FLAGS.'),
  'rewrite-not-regex': row(
    'A rewriting rule with flag S needs a regular expression.',
    'Begin its pattern with a circumflex.',
  ),
  'rewrite-unqualified': row(
    'A rewriting rule makes an address without a domain.',
    'Nothing is rewritten then. Write user@domain.',
  ),
  'route-hosts': row(
    'A routing rule has a pattern and no host.',
    'The first word of a rule is the domains, the second the hosts: "* smart.example".',
  ),
  'route-option': row(
    'A word after the hosts of a route is neither an option nor a transport.',
    'The router defers each address it is asked about. The help names the nearest word.',
  ),
  'route-port': row(
    'A port of a routing rule is taken as a host.',
    'A colon separates hosts; the one before a port is doubled: smart.example::587.',
  ),
  'router-condition': row(
    'The condition of a router always holds.',
    'What it comes to is never empty, 0, no or false, because of text around the expansion. Most often a dollar sign is missing, or a brace closes too early.',
  ),
  'router-setting': row('Settings of a router contradict each other.', 'Exim refuses to start.'),
  'router-unreached': row(
    'A router after one that takes every address is never asked.',
    'Give the earlier one a condition, or move it to the end.',
  ),
  'section-twice': row(
    'A section stands twice in the file.',
    'Exim refuses to start. Put both parts together.',
  ),
  'section-unknown': row(
    'A section does not exist.',
    'The sections are acl, authenticators, routers, transports, retry and rewrite.',
  ),
  'servers-malformed': row(
    'An item of redis_servers, mysql_servers or pgsql_servers cannot be used.',
    'Lookups that come to it defer.',
  ),
  'servers-missing': row(
    'A lookup asks a database whose servers are not named.',
    'It defers whenever it is used.',
  ),
  'setting-expected': row(
    'A line is no setting.',
    'Exim refuses to start. Write NAME = VALUE, or begin a section.',
  ),
  'settings-conflict': row(
    'Settings of a router, transport or authenticator do not fit together, or one of them is missing.',
    'Exim refuses to start. The message names the instance, the help what to write.',
  ),
  'smtp-protocol': row(
    'The protocol of an smtp transport does not exist.',
    'It is smtp, lmtp or smtps; another word stands for smtp where port is set.',
  ),
  'spamd-address': row(
    'An item of spamd_address cannot be read.',
    'Exim leaves that server out and writes a line each time. An item is a host and a port, or the path of a socket, then options: pri=, weight=, time=, retry=, tmo=, backup, variant=rspamd.',
  ),
  'spf-guess': row(
    'The record of spf_guess is none.',
    'The condition spf_guess is true for none where nothing can be asked, for permerror where the record has a mistake.',
  ),
  'start-value': row(
    'A value that is needed before anything runs cannot be had: its text cannot be expanded, or is not of use.',
    'Exim refuses to start.',
  ),
  taint: row(
    'Data from outside becomes part of a file name or a command.',
    'Exim refuses that when a message arrives, and the message waits or bounces. Use what a lookup or check_local_user gives instead: a trusted copy such as $local_part_data.',
  ),
  'taint-list': row(
    'Text that a stranger writes is used as a list.',
    'Its separators, "!", lookups and patterns count as plain characters, so it is one item. Compare its items one by one with ${if forany{...}}, or look them up.',
  ),
  'taint-query': row(
    'Data from outside becomes part of a query without being quoted.',
    'Exim refuses the query. Write ${quote_TYPE:...}, or hand the value over apart from the query with the option params.',
  ),
  'tls-ciphers': row(
    'tls_require_ciphers names no cipher that is known.',
    "Each TLS handshake fails. It is OpenSSL's list; the common priority strings of GnuTLS are translated.",
  ),
  'tls-files': row(
    'A certificate and its private key do not belong together.',
    'Each TLS handshake fails. The help says whether the two files are swapped.',
  ),
  'transport-command': row(
    'The command of a pipe transport begins with a bar.',
    'The bar is taken as part of the name of the program, which does not exist: messages bounce. It belongs to redirect data only.',
  ),
  'transport-folder': row(
    'An appendfile transport takes a folder for a file, or a Maildir for a plain folder.',
    'Deliveries fail, or leave files that no reader looks for. A Maildir is written as directory = ... with maildir_format.',
  ),
  'transport-incomplete': row(
    'A transport lacks the option that says where it delivers to.',
    'Messages are deferred when a router uses it. Add the option, or let a redirect router use it for files and pipes.',
  ),
  'transport-missing': row('A router needs a transport and names none.', 'Exim refuses to start.'),
  'user-not-found': row('A user does not exist on this host.', 'Exim refuses to start.'),
  'user-outside': row(
    'Who sends a message chooses the user, or the group, under which it is delivered.',
    'Exim does not refuse that: any account of the host is used, except root and those of never_users; where there is none of that name, the message waits. Let the router take known names only: check_local_user, local_parts or domains.',
  ),
  'value-constant': row(
    'The constant value of an option that is expanded when it is used is wrong.',
    'Exim finds out when it uses the option: mail is deferred, or the daemon does not start.',
  ),
  'value-extra': row('Something stands after a value.', 'Exim refuses to start.'),
  'value-missing': row('An option has no value.', 'Exim refuses to start.'),
  'value-negative': row(
    'A count or a size is below zero.',
    'Exim reads it without a word, and each option makes something else of it. Write 0 or more; what 0 means stands in the sentence of the option.',
  ),
  'value-not-boolean': row('A value is neither yes, no, true nor false.', 'Exim refuses to start.'),
  'value-not-fixed': row(
    'A value is not a number with up to three decimal places.',
    'Exim refuses to start.',
  ),
  'value-not-integer': row('A value is not an integer.', 'Exim refuses to start.'),
  'value-not-octal': row('A value is not an octal number.', 'Exim refuses to start.'),
  'value-not-time': row('A value is not a time.', 'A time is numbers with a unit each: 1h30m.'),
  'value-too-large': row('A value is too large.', 'Exim refuses to start.'),
  'value-unknown': row('A value is none of those that the option knows.', 'Exim refuses to start.'),
  'variable-not-working': row(
    'A variable is known and has no value yet.',
    'The expansion fails when it is used.',
  ),
  'variable-renamed': row('A variable is written by an older name.', 'It works; write the name of today.'),
  'variable-unknown': row(
    'A variable does not exist.',
    'The expansion fails when it is used. The help names the nearest one.',
  ),
  'variable-unset': row(
    'A variable is read where nothing has set it.',
    'It is empty there. Put the condition that sets it before it; $domain_data and $local_part_data are set by options of the router.',
  ),
}

/** docs/reference/findings.md. */
export function findingsReference(): string {
  const rows = Object.entries(codes).map(([code, { says, more }]) => `### ${code}\n\n${says} ${more}\n`)
  return `# Findings

What \`postern check\` may say, by code. Made from the table in the code; \`postern explain-code CODE\` prints one of them.

${rows.join('\n')}`
}
