/**
 * Configurations with one defect each; `¦` stands before the column that is expected. What stands around it is right,
 * so nothing else may be found.
 */
export interface PlantedDefect {
  readonly code: string
  readonly severity: 'error' | 'warning'
  readonly text: string
  /** In the help, where there is one. */
  readonly help?: RegExp
}

const acl = (statements: string): string =>
  `acl_smtp_rcpt = rcpt\nacl_smtp_data = data\nbegin acl\nrcpt:\n${statements}\n  accept authenticated = *\ndata:\n  accept\n`
const router = (lines: string): string =>
  `begin routers\none:\n${lines}\nbegin transports\nlocal:\n  driver = appendfile\n  file = /var/mail/x\nremote:\n  driver = smtp\n`
const transport = (lines: string): string => `begin transports\none:\n${lines}\n`
const error = (code: string, text: string, help?: RegExp): PlantedDefect => ({
  code,
  severity: 'error',
  text,
  ...(help === undefined ? {} : { help }),
})
const warning = (code: string, text: string, help?: RegExp): PlantedDefect => ({
  ...error(code, text, help),
  severity: 'warning',
})

export const plantedDefects: readonly PlantedDefect[] = [
  // Names nobody knows, with the nearest right one.
  error('option-unknown', '¦smtp_acept_max = 5\n', /smtp_accept_max/),
  error('option-unknown', router('  driver = accept\n  transport = local\n  ¦domans = x.example'), /domains/),
  error('option-unknown', transport('  driver = smtp\n  ¦hosts_require_tsl = *'), /hosts_require_tls/),
  error('operator-unknown', 'smtp_banner = ${¦lcc:x}\n', /lc/),
  error('expansion-syntax', 'smtp_banner = ¦${iff eq{a}{b}}\n'),
  error('condition-unknown', 'smtp_banner = ${if ¦eqq{a}{b}}\n', /eq/),
  error('variable-unknown', 'smtp_banner = $¦primary_hostnam\n', /primary_hostname/),
  error('lookup-unknown', 'smtp_banner = ${lookup{a}¦lseach{/etc/passwd}}\n', /lsearch/),
  error('acl-verb-unknown', acl('  ¦acept hosts = 127.0.0.1')),
  error('acl-condition-unknown', acl('  deny ¦sendrs = a@b.example'), /senders/),
  error('acl-control-unknown', acl('  warn control = ¦freez')),
  error('acl-verify-unknown', acl('  require verify = ¦recipent'), /recipient/),
  // Things that are named and not there.
  error('acl-unknown', '¦acl_smtp_rcpt = nowhere\n'),
  error('acl-unknown', acl('  deny acl = ¦nowhere')),
  error('reference-undefined', router('  driver = accept\n  transport = ¦lcoal'), /local/),
  error('list-unknown', acl('  deny domains = ¦+loca_domains')),
  error('list-unknown', 'domainlist a = ¦+b\n'),
  error('list-unknown', router('  driver = accept\n  domains = ¦+mine\n  transport = local')),
  error('file-missing', 'tls_certificate = ¦/nonexistent/cert.pem\ntls_privatekey = /etc/passwd\n'),
  error('file-missing', 'domainlist a = lsearch;¦/nonexistent/domains\n'),
  error('file-missing', 'smtp_banner = ${lookup{a}lsearch{¦/nonexistent/file}}\n'),
  // Braces and arguments.
  error('expansion-brace', 'smtp_banner = ${lc:¦x\n'),
  error('expansion-arguments', 'smtp_banner = ¦${sg{a}}\n'),
  error('expansion-arguments', 'smtp_banner = ¦${tr{a}{b}}\n'),
  error('expansion-brace', 'smtp_banner = ${if eq{a}{b}{c}{d}¦{e}}\n'),
  error('expansion-brace', 'smtp_banner = ${if eq{a}{b}{c}{d¦}\n'),
  // Types.
  error('value-not-integer', 'smtp_accept_max = ¦many\n'),
  error('value-not-boolean', 'smtp_receive_timeout = 5m\nqueue_only = ¦perhaps\n'),
  error('value-not-time', 'message_size_limit = 50M\ndelay_warning = 1h:¦soon\n'),
  error('option-set-twice', 'queue_only\n¦queue_only\n'),
  // Wrong places.
  error('acl-misplaced', 'acl_smtp_connect = c\nbegin acl\nc:\n  deny ¦recipients = a@b.example\n'),
  error('acl-misplaced', 'acl_smtp_connect = c\nbegin acl\nc:\n  accept control = ¦fakereject\n'),
  error('acl-misplaced', 'acl_smtp_helo = c\nbegin acl\nc:\n  deny ¦spf = fail\n'),
  // Loops.
  warning(
    'acl-loop',
    'acl_smtp_rcpt = a\nbegin acl\na:\n  deny acl = b\n  accept authenticated = *\n¦b:\n  deny acl = b\n',
  ),
  error('list-loop', 'domainlist a = +b\ndomainlist ¦b = +b\n'),
  // Regular expressions.
  error('regex', 'domainlist a = ^(fo¦o\n'),
  error('regex', 'smtp_banner = ${if match{a}{b¦[}{c}}\n'),
  error('regex', 'smtp_banner = ${sg{a}{¦*}{b}}\n'),
  error('regex', acl('  deny local_parts = ^.*(?¦z)x')),
  // Never reached.
  warning('acl-unreached', acl('  deny\n  ¦accept hosts = 127.0.0.1')),
  warning(
    'router-unreached',
    router('  driver = accept\n  transport = local\n¦two:\n  driver = accept\n  transport = local'),
  ),
  // Taint.
  warning('taint', transport('  driver = appendfile\n  file = /var/mail/¦$local_part'), /local_part_data/),
  warning(
    'taint',
    transport('  driver = appendfile\n  maildir_format\n  directory = /m/¦$domain/$local_part_data'),
    /domain_data/,
  ),
  warning('taint', transport('  driver = pipe\n  command = /bin/x ¦$local_part'), /local_part_data/),
  warning(
    'taint',
    transport('  driver = autoreply\n  once = /x/${lc:¦$sender_address}\n  to = $sender_address'),
  ),
  warning('taint', router('  driver = redirect\n  file = /home/¦$local_part/.forward'), /local_part_data/),
  warning('taint', 'smtp_banner = ${readfile{/etc/x/¦$sender_helo_name}}\n'),
  warning('taint', 'smtp_banner = ${lookup{a}cdb{/etc/x/¦$sender_host_name.cdb}}\n'),
  warning('taint', 'smtp_banner = ${run{/bin/echo ¦$h_subject:}}\n'),
  warning(
    'taint-query',
    "pgsql_servers = h/d/u/p\nsmtp_banner = ${lookup pgsql{SELECT 1 WHERE a='¦$local_part'}}\n",
    /quote_pgsql/,
  ),
  warning(
    'taint-query',
    "mysql_servers = h/d/u/p\nsmtp_banner = ${lookup mysql{SELECT '${quote_pgsql:¦$domain}'}}\n",
    /quote_mysql/,
  ),
  warning(
    'taint-query',
    "sqlite_dbfile = /x\nsmtp_banner = ${lookup sqlite{SELECT '¦$h_from:'}}\n",
    /quote_sqlite/,
  ),
  // Read before it can be set.
  warning('variable-unset', acl('  warn logwrite = ¦$dmarc_status')),
  warning('variable-unset', acl('  warn condition = ${if eq{¦$spf_result}{fail}}\n  warn spf = fail')),
  // SPF and DMARC.
  warning('spf-guess', '¦spf_guess = a/24 mx/24 ?all\n', /v=spf1/),
  warning('spf-guess', '¦spf_guess = v=spf1 foo -all\n', /v=spf1/),
  warning('report-sender', 'dmarc_forensic_sender = ¦DMARC reports\n', /reports@/),
  warning('report-sender', 'dmarc_report_sender = ¦a@b@c\n', /reports@/),
  // Databases.
  warning(
    'redis-nil',
    'redis_servers = 127.0.0.1//\nsmtp_banner = ${lookup redis{GET a}{$value}{¦none}}\n',
    /nil=fail/,
  ),
  warning('servers-missing', 'smtp_banner = ¦${lookup redis{GET a}}\n'),
  warning('servers-missing', 'smtp_banner = ¦${lookup pgsql{SELECT 1}}\n'),
  warning(
    'servers-malformed',
    '¦redis_servers = 127.0.0.1:6379//\n',
    /host\/database\/password.*colon before a port is doubled/,
  ),
  warning('servers-malformed', '¦redis_servers = 127.0.0.1/0/ : 10.0.0.1::6380/0\n', /both slashes/),
  warning(
    'servers-malformed',
    '¦redis_servers = [::1]::6379//\n',
    /each colon of an address is doubled.*"<; \[::1\]:6380\/0\/"/,
  ),
  warning('servers-malformed', '¦redis_servers = 127.0.0.1/x/\n', /host\/database\/password/),
  warning(
    'servers-malformed',
    '¦redis_servers = 127.0.0.1/10/ - using database 10 with no password\n',
    /leave the remark out/,
  ),
  warning('servers-malformed', 'hide ¦mysql_servers = localhost/db/user\n', /host\/database\/user\/password/),
  warning(
    'servers-malformed',
    'hide ¦pgsql_servers = a/localhost/db/u/p\n',
    /host\/database\/user\/password/,
  ),
  // Who may send.
  warning('open-relay', 'acl_smtp_rcpt = rcpt\nbegin acl\nrcpt:\n  ¦accept\n'),
  warning('open-relay', 'hostlist all = *\nacl_smtp_rcpt = rcpt\nbegin acl\nrcpt:\n  ¦accept hosts = +all\n'),
  warning('open-relay', 'acl_smtp_rcpt = rcpt\nbegin acl\nrcpt:\n  ¦accept domains = *\n'),
  warning('proxy-list-local', 'hosts_proxy = ¦*\n'),
  error('list-lookup', 'domainlist a = ¦dbm;/etc/passwd\n'),
  warning('list-mask', 'hostlist a = ¦192.0.2.0/33\n'),
  // Spellings of 2014 and other inconsistencies.
  warning('option-renamed', '¦proxy_required_hosts = 192.0.2.1\n'),
  warning('variable-renamed', 'smtp_banner = ¦$tls_cipher\n', /tls_in_cipher/),
  warning('variable-renamed', 'smtp_banner = ¦$proxy_host_address\n'),
  warning('acl-spf-old-word', acl('  deny spf = ¦err_perm')),
  warning('variable-renamed', acl('  warn logwrite = ¦$domain_used_domain'), /dmarc_used_domain/),
  warning('variable-renamed', 'smtp_banner = ¦$proxy_host\n', /proxy_local_address/),
  warning('acl-set-dollar', acl('  warn ¦set $acl_m_quarantine = 1')),
  error('acl-condition-value', acl('  deny condition = ¦lookup if destined to mailing list')),
  warning('acl-spf-negated', acl('  deny spf = ¦!fail : !pass')),
  warning(
    'acl-dmarc-word',
    'acl_smtp_data = d\nbegin acl\nd:\n  deny dmarc_status = ¦rejected\n  accept\n',
    /reject/,
  ),
  warning(
    'ocsp-unverified',
    transport('  driver = smtp\n  ¦hosts_require_ocsp = *\n  tls_verify_certificates ='),
  ),
  error('acl-unknown', 'smtp_banner = ${acl{¦nowhere}}\n'),
  error('acl-unknown', 'smtp_banner = ${if acl{{¦nowhere}}{a}{b}}\n'),
  error(
    'acl-unknown',
    'acl_smtp_rcpt = ${if eq{$interface_port}{25}{r}{¦nowhere}}\nbegin acl\nr:\n  accept authenticated = *\n',
  ),
  warning(
    'acl-results-negated',
    'acl_smtp_data = d\nbegin acl\nd:\n  deny dmarc_status = ¦!accept : !none\n  accept\n',
  ),
  warning(
    'acl-results-negated',
    'acl_smtp_data = d\nbegin acl\nd:\n  deny dkim_status = ¦!pass : !none\n  accept\n',
  ),
  warning('taint-list', router('  driver = accept\n  transport = local\n  domains = ¦$h_x-domains:')),
  // What administrators write in a hurry.
  warning('list-commas', acl('  deny hosts = ¦10.0.0.1, 10.0.0.2'), /10\.0\.0\.1 : 10\.0\.0\.2/),
  warning('list-commas', acl('  deny sender_domains = ¦a.example,b.example')),
  warning('list-commas', 'domainlist mine = ¦a.example, *.b.example\n', /<,/),
  warning(
    'acl-two-conditions',
    acl('  accept domains = a.example ¦local_parts = b\n         hosts = 192.0.2.1'),
  ),
  warning('list-address', 'hostlist a = 192.0.2.1 : ¦192.0.2.300\n', /255/),
  error('acl-verify-option', acl('  require verify = recipient/¦calout'), /callout/),
  error('acl-verify-option', acl('  deny !verify = sender/callout=30s,¦defer_okay')),
  error('acl-delay', acl('  warn delay = ¦20x'), /20s/),
  error('acl-ratelimit', acl('  defer ratelimit = 100 / ¦1x / strict')),
  warning('acl-ratelimit-word', acl('  defer ratelimit = 100 / 1h / per_addr / ¦strct'), /strict/),
  warning('acl-dnslists-value', acl('  deny dnslists = zen.example=127.0.0.2,¦127.0.0.300')),
  warning('header-colon', acl('  warn add_header = ¦X-Spam yes'), /X-Spam: yes/),
  error('expansion-number', acl('  deny condition = ${if >{$message_size}{¦20MB}}'), /K, M or G/),
  error('value-constant', 'message_size_limit = ¦50MB\n', /50M/),
  error('value-constant', '¦daemon_smtp_ports = 25 ; 587\n'),
  error('value-constant', 'local_interfaces = ¦0.0.0.0.25x\n', /192\.0\.2\.1\.587/),
  error('value-constant', '¦primary_hostname = mail example.com\n'),
  error('value-constant', transport('  driver = smtp\n  port = ¦smpt'), /smtp/),
  error('value-constant', transport('  driver = smtp\n  interface = ¦192.0.2.300')),
  error(
    'route-option',
    router('  driver = manualroute\n  ¦route_list = *.example 192.0.2.1 bydsn\n  transport = remote'),
    /bydns/,
  ),
  error(
    'file-missing',
    transport(
      '  driver = smtp\n  dkim_domain = a.example\n  dkim_selector = x\n  dkim_private_key = ¦/nonexistent/key',
    ),
  ),
  // Slips that end the start.
  error('log-selector', 'log_selector = ¦+tls_ciper\n', /tls_cipher/),
  error('retry-interval', 'begin retry\n*  *  ¦X,2h,15m\n'),
  error('rewrite-flag', 'begin rewrite\n*@a.example  $1@b.example  Q¦z\n'),
  error(
    'driver-unknown',
    'begin authenticators\np:\n  driver = ¦plaintxt\n  public_name = PLAIN\n',
    /plaintext/,
  ),
  error('user-not-found', transport('  driver = appendfile\n  file = /var/mail/x\n  user = ¦nosuchuser')),
  error('settings-conflict', router('¦  driver = redirect').replace('¦  ', '  ').replace('one:', '¦one:')),
  error('value-extra', transport('  driver = appendfile\n  file = /var/mail/x\n  mode = 0¦999')),
  error('value-not-time', 'ignore_bounce_errors_after = ¦2 days\n', /1h30m/),
  error(
    'av-scanner-unknown',
    '¦av_scanner = clamav:127.0.0.1 3310\nacl_smtp_data = d\nbegin acl\nd:\n  deny malware = *\n  accept\n',
  ),
  // Arguments that are constant and wrong.
  error('expansion-constant', 'smtp_banner = ${eval:¦1+}\n', /parentheses/),
  error('expansion-constant', 'smtp_banner = ${eval:¦08*2}\n', /eval10/),
  error('expansion-constant', 'smtp_banner = ${eval10:¦0x10}\n'),
  error('expansion-constant', 'smtp_banner = ${base62d:¦!}\n'),
  error('expansion-constant', 'smtp_banner = ${base64d:¦abc}\n'),
  error('expansion-constant', 'smtp_banner = ${mask:¦10.0.0.1/99}\n', /192\.0\.2\.9\/24/),
  error('expansion-constant', 'smtp_banner = ${mask:¦10.0.0.1}\n'),
  error('expansion-constant', 'smtp_banner = ${time_eval:¦5x}\n', /1h30m/),
  error('expansion-constant', 'smtp_banner = ${reverse_ip:¦10.0.0}\n'),
  error('expansion-constant', 'smtp_banner = ¦${sha3_1:$primary_hostname}\n', /_512/),
  error('expansion-constant', 'smtp_banner = ¦${hash_3_70:$primary_hostname}\n'),
  error('expansion-constant', 'smtp_banner = ${listnamed:¦nowhere}\n', /defined/),
  error('expansion-constant', 'smtp_banner = ${substr{¦a}{3}{$primary_hostname}}\n'),
  error('expansion-constant', 'smtp_banner = ${length{¦-3}{$primary_hostname}}\n'),
  error('expansion-constant', 'smtp_banner = ${listextract{¦x}{$primary_hostname}}\n'),
  error('expansion-constant', 'smtp_banner = ${hmac{¦sha256}{k}{$primary_hostname}}\n', /sha1/),
  error('expansion-constant', 'smtp_banner = ${sort{a:b}{¦ascending}{$item}}\n', /lt/),
  error('expansion-constant', acl('  deny condition = ${if bool{¦maybe}}')),
  error(
    'expansion-constant',
    acl('  deny condition = ${if match_ip{¦10.0.0.0/8}{$sender_host_address}}'),
    /first/,
  ),
  error('expansion-number', acl('  deny condition = ${if >{¦a}{1}}'), /eq/),
  error('expansion-syntax', 'smtp_banner = ${¦hash_x:a}\n'),
  error('expansion-syntax', 'smtp_banner = ${¦substr_a:b}\n'),
  error('expansion-syntax', 'smtp_banner = ${¦substr_1_-2:abc}\n'),
  error('expansion-syntax', 'smtp_banner = ${¦length_x:abc}\n'),
  error('expansion-syntax', 'smtp_banner = ${¦length:abc}\n'),
  error('expansion-brace', acl('  deny condition = ${if def:h_subject{yes}{no}¦}')),
  error('list-unknown', acl('  deny condition = ${if match_domain{$domain}{¦+mine}}')),
  error('list-unknown', transport('  driver = smtp\n  hosts_require_tls = ¦+partners')),
  warning('list-mask', acl('  deny condition = ${if match_ip{$sender_host_address}{¦10.0.0.0/40}}')),
  // Options where there are none, numbers below zero, headers without a colon.
  error('acl-verify-option', acl('  deny !verify = helo/¦defer_ok'), /verify = helo/),
  error('acl-verify-option', acl('  deny !verify = certificate/¦x')),
  error(
    'acl-verify-option',
    'acl_smtp_data = d\nbegin acl\nd:\n  require verify = not_blind/¦caseless\n  accept\n',
    /case_insensitive/,
  ),
  error(
    'acl-verify-option',
    'acl_smtp_data = d\nbegin acl\nd:\n  require verify = header_syntax/¦strict\n  accept\n',
  ),
  error('acl-verify-option', acl('  deny !verify = helo¦=mail.example')),
  warning('acl-verify-option', acl('  deny !verify = reverse_host_lookup/¦defer_okay'), /defer_ok/),
  warning('value-negative', 'queue_run_max = ¦-1\n'),
  warning('value-negative', '¦smtp_accept_max = -1\n', /zero means any/),
  warning('value-negative', transport('  driver = smtp\n  ¦hosts_max_try = -1')),
  warning('value-negative', transport('  driver = smtp\n  max_rcpt = ¦-3')),
  warning(
    'header-colon',
    router('  driver = accept\n  transport = local\n  headers_add = ¦X-Seen yes'),
    /X-Seen: yes/,
  ),
  warning('header-colon', transport('  driver = smtp\n  headers_add = X-A: 1\\n¦X-Seen')),
  // What the lists of administrators ask about again and again: a dollar sign or a brace in the wrong place.
  error('acl-condition-value', acl('  deny condition = ¦{if eq{$sender_helo_name}{x}}'), /dollar/),
  error(
    'acl-condition-value',
    acl('  deny condition = ${if eq{$sender_helo_name}{x}}¦{yes}{no}'),
    /too early/,
  ),
  error('acl-condition-value', acl('  deny condition = ¦!${if eq{$sender_helo_name}{x}}'), /\$\{if !/),
  error('acl-condition-value', acl('  deny condition = ¦"${if eq{$sender_helo_name}{x}}"')),
  warning(
    'router-condition',
    router('  driver = accept\n  transport = local\n  condition = ¦{if eq{$domain}{x}}'),
    /dollar/,
  ),
  warning(
    'router-condition',
    router('  driver = accept\n  transport = local\n  condition = ${if eq{$domain}{x}}¦{yes}{no}'),
    /too early/,
  ),
  error('expansion-syntax', acl('  deny local_parts = ^root¦$ : ^admin'), /\\\$/),
  error('expansion-syntax', acl('  deny condition = ${if match{$sender_helo_name}{^\\d+¦$}}'), /\\\$/),
  error(
    'expansion-brace',
    router('  driver = redirect\n  data = ${lookup{$local_part}lsearch{/etc/passwd¦}'),
  ),
  error('expansion-brace', 'begin rewrite\n*@a.example ${lookup{$1}lsearch{/etc/passwd}{$value}fai¦l F\n'),
  error('expansion-syntax', 'begin rewrite\n^(.*)@a\\.example¦$ $1@b.example F\n', /\\\$/),
  // Items of lists.
  warning('list-ipv6', 'hostlist a = 127.0.0.1 : ¦::1\n', /::::1/),
  warning('list-ipv6', acl('  deny hosts = ¦2001:db8::/32'), /2001::db8::::\/32/),
  warning(
    'list-ipv6',
    router('  driver = dnslookup\n  transport = remote\n  ignore_target_hosts = 127.0.0.0/8 : ¦::1'),
    /<;/,
  ),
  warning('list-spaces', 'domainlist a = ¦a.example b.example\n', /a\.example : b\.example/),
  warning('list-spaces', acl('  deny hosts = ¦10.0.0.1 10.0.0.2')),
  warning('list-spaces', acl('  deny local_parts = ¦root postmaster')),
  warning('list-commas', 'hostlist a = ¦10.0.0.1;10.0.0.2\n', /<;/),
  warning('list-commas', 'host_lookup = ¦10.0.0.0/8, 192.168.0.0/16\n'),
  warning('list-commas', transport('  driver = smtp\n  hosts = ¦a.example, b.example')),
  warning('list-comment', 'hostlist a = 10.0.0.1 ¦# the office\n', /line/),
  warning('list-word', acl('  deny encrypted = ¦no'), /!encrypted = \*/),
  warning('list-word', transport('  driver = smtp\n  hosts_require_tls = ¦yes'), /"\*"/),
  warning('list-domain', 'domainlist a = ¦.a.example\n', /\*\.a\.example/),
  warning('list-domain', 'domainlist a = a.example : ¦mail.*\n'),
  warning('list-address', 'hostlist a = ¦10.0.0.*\n', /10\.0\.0\.0\/24/),
  warning('list-lookup-colon', 'domainlist a = ¦lsearch:/etc/passwd\n', /lsearch;/),
  error('lookup-unknown', 'domainlist a = ¦lsaerch;/etc/passwd\n', /lsearch/),
  warning('acl-dnslists-list', acl('  deny dnslists = ¦zen.example.net, bl.example.org'), /net : bl/),
  warning('acl-dnslists-list', acl('  deny dnslists = ¦zen.example.net bl.example.org')),
  error('value-constant', 'local_interfaces = ¦127.0.0.1 : ::1\n'),
  // The wrong ACL for what is asked.
  error(
    'acl-misplaced',
    'acl_smtp_data = d\nbegin acl\nd:\n  deny !verify = ¦recipient\n  accept\n',
    /acl_smtp_rcpt/,
  ),
  error('acl-misplaced', acl('  deny !verify = ¦header_syntax'), /acl_smtp_data/),
  warning('variable-unset', acl('  deny condition = ${if match{¦$h_subject:}{x}}'), /acl_smtp_data/),
  warning(
    'variable-unset',
    'acl_smtp_connect = c\nbegin acl\nc:\n  deny condition = ${if eq{¦$sender_helo_name}{x}}\n  accept\n',
    /acl_smtp_helo/,
  ),
  warning(
    'variable-unset',
    'acl_smtp_data = d\nbegin acl\nd:\n  warn logwrite = to ¦$local_part\n  accept\n',
    /\$recipients/,
  ),
  error('acl-verb-unknown', 'acl_smtp_rcpt = r\nbegin acl\nr:\n  accept: ¦authenticated = *\n', /no colon/),
  error('acl-name-missing', 'acl_smtp_rcpt = r\nbegin acl\n¦r\n  accept authenticated = *\n'),
  error('acl-variable', acl('  warn set ¦acl_mfoo = 1'), /acl_m_name/),
  error('tls-ciphers', 'tls_require_ciphers = ¦HIHG\n', /HIGH/),
  error('tls-ciphers', transport('  driver = smtp\n  tls_require_ciphers = ¦NORMAL:-FOO')),
  error('acl-control-options', acl('  warn control = submission/¦sender_retian'), /sender_retain/),
  error('acl-control-unknown', acl('  warn control = ¦queue_olny'), /queue_only/),
  warning(
    'acl-message-code',
    acl('  defer message = ¦550 come again\n        hosts = 192.0.2.1'),
    /begin with 4/,
  ),
  warning(
    'acl-warn-message',
    'acl_smtp_connect = c\nbegin acl\nc:\n  warn ¦message = X-Seen: yes\n  accept\n',
    /log_message/,
  ),
  warning('acl-header-position', acl('  warn add_header = :¦after_recieved:X-Seen: yes'), /after_received/),
  warning('list-commas', acl('  warn remove_header = ¦X-One, X-Two')),
  warning(
    'acl-dkim-word',
    'acl_smtp_dkim = d\nbegin acl\nd:\n  deny dkim_status = ¦failed\n  accept\n',
    /fail/,
  ),
  warning(
    'acl-decode-word',
    'acl_smtp_mime = d\nbegin acl\nd:\n  warn decode = ¦defualt\n  accept\n',
    /default/,
  ),
  error('list-unknown', acl('  deny hosts = ¦+ignore_unkown : 192.0.2.1'), /ignore_unknown/),
  warning(
    'transport-folder',
    transport('  driver = appendfile\n  file = ¦/home/$local_part_data/Maildir/'),
    /directory/,
  ),
  warning(
    'transport-folder',
    transport('  driver = appendfile\n  directory = ¦/home/$local_part_data/Maildir'),
    /maildir_format/,
  ),
  warning('list-commas', transport('  driver = smtp\n  headers_remove = ¦X-One, X-Two'), /X-One : X-Two/),
  // Routers and transports.
  error(
    'transport-missing',
    'begin routers\n¦one:\n  driver = manualroute\n  route_list = * mail.example\n',
    /transport = NAME/,
  ),
  warning(
    'route-hosts',
    router('  driver = manualroute\n  transport = remote\n  ¦route_list = smart.example'),
    /\* smart\.example/,
  ),
  error(
    'route-option',
    router(
      '  driver = manualroute\n  transport = remote\n  ¦route_list = a.example 10.0.0.1, b.example 10.0.0.2',
    ),
    /semicolons/,
  ),
  error(
    'route-option',
    router('  driver = manualroute\n  transport = remote\n  ¦route_list = * a.example : b.example'),
    /in quotes/,
  ),
  warning(
    'route-port',
    router('  driver = manualroute\n  transport = remote\n  ¦route_list = * smart.example:587'),
    /smart\.example::587/,
  ),
  warning(
    'list-ipv6',
    router('  driver = manualroute\n  transport = remote\n  ¦route_list = * [2001:db8::1]'),
  ),
  error('redirect-transport', router('  driver = redirect\n  data = ¦/var/mail/archive'), /file_transport/),
  error('redirect-transport', router('  driver = redirect\n  data = ¦|/usr/bin/vacation'), /pipe_transport/),
  error(
    'transport-incomplete',
    'begin routers\none:\n  driver = accept\n  transport = t\nbegin transports\n¦t:\n  driver = appendfile\n  group = mail\n',
    /redirect/,
  ),
  warning('dkim-incomplete', transport('  driver = smtp\n  ¦dkim_domain = a.example'), /dkim_selector/),
  error('quote-missing', router('  driver = redirect\n  data = ¦"root@example.org')),
  error(
    'instance-name-twice',
    router('  driver = accept\n  transport = local\n¦one:\n  driver = accept\n  transport = local'),
  ),
  error('value-constant', transport('  driver = smtp\n  helo_data = ¦mail example.org')),
  // The rest of the file.
  warning('macro-late', 'smtp_banner = ¦MYHOST ESMTP\nMYHOST = mail.example\n', /before/),
  error('macro-contains-macro', 'MY = a\n¦MYHOST = mail.example\nsmtp_banner = MYHOST MY\n', /before MY/),
  error('include-failed', '.include ¦/nonexistent/exim.conf.d/main\n'),
  warning('directive-unknown', '.ifdef NOWHERE\nqueue_only\n¦.esle\n.endif\n', /\.else/),
  error('option-unknown', '¦domain_list a = a.example\n', /domainlist/),
  error('value-extra', 'smtp_accept_max = 20 ¦# at most\n', /line of its own/),
  error('user-not-found', 'trusted_users = ¦mail, uucp\n', /colons/),
  error('value-constant', '¦qualify_domain = @a.example\n'),
  warning('retry-swapped', 'begin retry\n¦*  *  F,15m,2h\n', /F,2h,15m/),
  warning('retry-unreached', 'begin retry\n*  *  F,2h,15m\n¦a.example  *  F,1h,5m\n', /to the end/),
  error('retry-interval', 'begin retry\n*  *  F,2h,15m¦: G,16h,1h,1.5\n'),
  warning('rewrite-unqualified', 'begin rewrite\na.example ¦b.example F\n', /@b\.example/),
  warning(
    'authenticator-incomplete',
    'begin authenticators\nl:\n  driver = plaintext\n  public_name = LOGIN\n  ¦server_condition = ${if eq{$auth1}{x}}\n',
    /server_prompts/,
  ),
  warning(
    'authenticator-incomplete',
    'begin authenticators\np:\n  driver = plaintext\n  public_name = PLAIN\n  ¦server_prompts = :\n',
  ),
  error('expansion-brace', acl('  deny condition = ${if match{$sender_helo_name}{\\N^\\d+$}¦}')),
  // One slip, one finding: what follows it is judged as it was meant.
  error(
    'acl-name-missing',
    acl('  deny\n    hosts = 192.0.2.1\n¦other\n  deny hosts = 192.0.2.2'),
    /"other:"/,
  ),
  error(
    'acl-name-missing',
    'acl_smtp_rcpt = a\nacl_smtp_mail = acl_mail\nbegin acl\na:\n  accept authenticated = *\n¦acl_mail\n  deny senders = a@b.example\n',
    /"acl_mail:"/,
  ),
  error('acl-name-missing', 'begin acl\n¦smtp_banner = x\n', /before the first "begin"/),
  error('acl-verb-unknown', acl('  ¦reject message = no\n         hosts = 192.0.2.1'), /"deny"/),
  error('acl-condition-unknown', acl('  deny hosts = 192.0.2.1\n  ¦block hosts = 192.0.2.2'), /"deny"/),
  error('acl-condition-unknown', acl('  deny hosts = 192.0.2.1\n  ¦Accept hosts = 192.0.2.2'), /"accept"/),
  error(
    'acl-condition-unknown',
    acl('  deny hosts = 192.0.2.1\n  ¦filter hosts = 192.0.2.2'),
    /one of accept/,
  ),
  error('acl-condition-unknown', acl('  warn ¦acl_m_x = 1'), /set acl_m_x/),
  error('acl-condition-unknown', acl('  warn ¦headers_remove = X-A'), /"remove_header"/),
  error('acl-misplaced', 'acl_smtp_connect = c\nbegin acl\nc:\n  deny ¦local_parts = a\n', /acl_smtp_rcpt/),
  error(
    'acl-misplaced',
    'acl_smtp_helo = c\nbegin acl\nc:\n  accept control = ¦submission\n',
    /acl_smtp_mail, acl_smtp_rcpt/,
  ),
  error(
    'option-unknown',
    router(
      '  driver = accept\n  transport = local\n  domains = a.example\n¦two\n  driver = redirect\n  allow_fail\n  data = :fail: no',
    ),
    /"two:"/,
  ),
  error(
    'option-unknown',
    router(
      '  driver = accept\n  transport = local\n  domains = a.example\n¦number two:\n  driver = redirect\n  allow_fail\n  data = :fail: no',
    ),
    /letters, digits and underscores/,
  ),
  error('option-unknown', router('  driver = accept\n  transport = local\n  ¦nomore'), /"no_more"/),
  error(
    'option-unknown',
    router('  driver = accept\n  transport = local\n  ¦add_header = X-A: 1'),
    /"headers_add"/,
  ),
  error(
    'option-unknown',
    router('  driver = accept\n  transport = local\n  ¦transport_home = /x'),
    /"transport_home_directory"/,
  ),
  error('option-unknown', '¦smtp-accept-max = 5\n', /"smtp_accept_max"/),
  error('option-unknown', '¦include /etc/exim4/local\n', /"\.include"/),
  error('option-unknown', '¦mynetworks = 10.0.0.0/8\n', /capital letter/),
  error('equals-missing', 'smtp_accept_max¦\xa0= 5\n', /no-break space/),
  error('equals-missing', 'domainlist ¦a b.example\ndomainlist c = +a\n', /domainlist name = items/),
  error('setting-expected', '¦.if FOO\nqueue_only\n.endif\n', /\.ifdef/),
  warning('directive-unknown', '.ifdef NOWHERE\nqueue_only\n¦.elseif FOO\n.endif\n', /\.elifdef/),
  error('endif-missing', 'acl_smtp_rcpt = r\n¦.ifdef NOWHERE\nqueue_only\nbegin acl\nr:\n  accept\n'),
  error('section-unknown', `¦retry\n*  *  F,2h,15m\n`, /begin retry/),
  error(
    'section-unknown',
    router('  driver = accept\n  transport = local').replace('begin transports', 'begin ¦transprots'),
    /"transports"/,
  ),
  error(
    'macro-contains-macro',
    'SPOOL = /x\n¦SPOOL_MAX = 50M\nmessage_size_limit = SPOOL_MAX\nspool_directory = SPOOL\n',
  ),
  error('driver-unknown', router('  driver = ¦aliasfile\n  file = /etc/aliases'), /"redirect"/),
  error('driver-unknown', router('  driver = ¦appendfile\n  file = /x'), /a driver of transports/),
  // Lists.
  warning('list-equals', acl('  deny senders =¦= a@b.example'), /one equals sign/),
  warning('list-equals', router('  driver = accept\n  transport = local\n  domains =¦= a.example')),
  warning('list-plus', 'domainlist mine = a.example\ndomainlist b = ¦mine\n', /"\+mine"/),
  warning(
    'list-plus',
    `hostlist relays = 10.0.0.1\n${acl('  accept hosts = 192.0.2.1 : ¦!relays')}`,
    /"!\+relays"/,
  ),
  error('list-unknown', 'hostlist nets = 10.0.0.1\ndomainlist b = ¦+nets\n', /nets is a host list/),
  error('list-unknown', 'domainlist mine = a.example\ndomainlist b = !¦+ mine\n', /"\+mine"/),
  warning('list-spaces', 'domainlist mine = a.example\ndomainlist b = ¦not +mine\n', /"!\+mine"/),
  warning('list-spaces', 'hostlist a = <; ¦10.0.0.1 10.0.0.2\n', /10\.0\.0\.1 ; 10\.0\.0\.2/),
  warning('list-commas', 'hostlist a = <; ¦127.0.0.1 : ::1\n', /127\.0\.0\.1 ; ::1/),
  warning('list-ipv6', 'hostlist a = 127.0.0.1 : ¦[2001:db8::]/32\n', /2001::db8::::\/32/),
  warning('list-domain', acl('  deny local_parts = ¦root.*'), /\^/),
  warning('list-comment', acl('  deny dnslists = zen.example.org ¦# paid'), /line/),
  warning('acl-dnslists-list', acl('  deny dnslists = zen.example.org/¦warn'), /verb/),
  warning(
    'acl-dnslists-list',
    acl('  deny dnslists = ¦+include_unknown zen.example.org'),
    /include_unknown :/,
  ),
  warning('acl-dnslists-list', acl('  deny dnslists = http:¦//zen.example.org'), /domain alone/),
  error('file-missing', acl('  accept hosts = ¦/nonexistent/friends')),
  error('file-missing', 'hostlist a = 10.0.0.1 : !¦/nonexistent/foes\n'),
  warning(
    'list-commas',
    router('  driver = accept\n  transport = local\n  require_files = ¦/a,/b'),
    /\/a : \/b/,
  ),
  // What the expansion takes, and what it does not find.
  warning('regex-backslash', acl('  deny condition = ${if match{$sender_helo_name}{^¦\\d+}}'), /\\\\d/),
  warning('regex-backslash', acl('  warn set acl_m_x = ${sg{$sender_helo_name}{¦\\s}{}}'), /\\N/),
  warning('regex-backslash', acl('  deny local_parts = ^¦\\w+')),
  error('variable-unknown', acl('  deny condition = $¦if{eq{a}{b}}'), /\$\{if \.\.\.\}/),
  warning(
    'variable-unset',
    acl('  warn set acl_m_grey = 1\n  deny condition = ${if eq{¦$acl_m_gray}{1}}'),
    /"acl_m_grey"/,
  ),
  warning(
    'variable-unset',
    router('  driver = accept\n  transport = boxes').replace(
      'remote:',
      'boxes:\n  driver = appendfile\n  file = /var/mail/¦$local_part_data\nremote:',
    ),
    /local_parts/,
  ),
  warning('variable-unset', router('  driver = redirect\n  data = root@¦$domain_data'), /"domains = \.\.\."/),
  error('acl-condition-value', acl('  deny condition = ¦if eq{$sender_helo_name}{x}'), /\$\{if/),
  error('acl-verify-unknown', acl('  deny !verify = helo ¦# strictly'), /line of its own/),
  error('acl-verify-unknown', acl('  deny !verify = sender ¦callout'), /slash/),
  warning('acl-ratelimit-word', acl('  defer ratelimit = 100 / 1h / ¦per_ip'), /per_conn/),
  error(
    'acl-misplaced',
    'acl_smtp_connect = c\nbegin acl\nc:\n  defer ratelimit = 100 / 1h / ¦per_rcpt / strict / $sender_host_address\n  accept\n',
    /per_conn/,
  ),
  error('retry-error-unknown', 'begin retry\n*  ¦F,2h,15m; G,16h,1h,1.5\n', /error, times/),
  error('value-constant', transport('  driver = appendfile\n  file = /x\n  quota = ¦500MB'), /500M/),
  error(
    'value-constant',
    transport('  driver = appendfile\n  file = /x\n  quota = 5M\n  quota_warn_threshold = ¦90 percent'),
    /90%/,
  ),
  warning('acl-log-name', acl('  warn logwrite = :main,¦rejct: $sender_address'), /reject/),
  warning(
    'list-commas',
    acl('').replace('data:\n', 'data:\n  deny dkim_status = ¦none, invalid\n'),
    /none : invalid/,
  ),
  error('redirect-special', router('  driver = redirect\n  data = :¦fial: nobody'), /:fail:/),
  warning('list-ipv6', 'host_lookup = 10.0.0.0/8:¦fe80::/10\n', /double each colon/),
  warning(
    'taint-query',
    "hide mysql_servers = localhost/a/b/c\naddresslist blocked = : mysql;SELECT 1 FROM b WHERE a='¦$sender_address'\n" +
      acl('  deny senders = +blocked'),
    /quote_mysql/,
  ),
  error('setting-expected', '¦\xef\xbb\xbfprimary_hostname = mail.example\n', /byte order mark/),
  warning('taint', acl('  warn queue = ¦$sender_address_domain')),
  error('dnsdb-type', acl('  deny condition = ${lookup dnsdb{>: defer_never,¦mxx=$domain}{no}{yes}}'), /mx/),
  error('transport-command', transport('  driver = pipe\n  command = ¦|/bin/cat'), /remove the bar/),
  error('file-missing', 'begin retry\nlsearch;¦/nonexistent/slow  *  F,1h,10m\n*  *  F,2h,15m\n'),
  error('file-missing', 'begin rewrite\n*@cdb;¦/nonexistent/ours.cdb  $1@x.example\n'),
  // Results of DKIM where there are none.
  warning('variable-unset', acl('  deny condition = ${if eq{¦$dkim_verify_status}{fail}}'), /acl_smtp_dkim/),
  warning(
    'variable-unset',
    `acl_smtp_dkim = k\n${acl('  warn logwrite = by ¦$dkim_cur_signer')}k:\n  accept\n`,
    /acl_smtp_dkim is the first/,
  ),
  warning(
    'variable-unset',
    acl('').replace('data:\n', 'data:\n  warn logwrite = DKIM ¦$dkim_verify_status of $dkim_signers\n'),
    /"acl_smtp_dkim = accept"/,
  ),
  warning(
    'variable-unset',
    acl('  deny condition = ${if !eq{¦$dkim_signers}{}}'),
    /when the message has come/,
  ),
  warning(
    'variable-unset',
    router('  driver = accept\n  transport = local\n  condition = ${if eq{¦$dkim_verify_status}{pass}}'),
    /set acl_m_dkim/,
  ),
  warning(
    'variable-unset',
    transport('  driver = smtp\n  headers_add = X-Was: ¦$dkim_verify_reason'),
    /acl_smtp_data/,
  ),
  // What a stranger writes as a home, a user, a number.
  warning(
    'taint',
    router('  driver = redirect\n  router_home_directory = /home/¦$local_part\n  file = $home/.forward'),
    /check_local_user/,
  ),
  warning(
    'taint',
    router('  driver = accept\n  transport_home_directory = /m/¦$domain\n  transport = local').replace(
      'file = /var/mail/x',
      'file = $home/box',
    ),
    /domain_data/,
  ),
  warning(
    'taint',
    transport('  driver = pipe\n  home_directory = /home/¦$local_part\n  command = $home/bin/take'),
  ),
  warning(
    'user-outside',
    router('  driver = accept\n  user = ¦$local_part\n  transport = local'),
    /check_local_user/,
  ),
  warning(
    'user-outside',
    router('  driver = accept\n  group = ${lc:¦$domain}\n  transport = local'),
    /domains/,
  ),
  warning(
    'user-outside',
    router('  driver = accept\n  transport = local').replace(
      'file = /var/mail/x',
      'file = /var/mail/x\n  user = ¦$local_part',
    ),
    /local_parts/,
  ),
  warning(
    'eval-outside',
    acl('  deny condition = ${if >{${eval:¦$h_x-score: * 10}}{50}}')
      .replace('rcpt:', 'data:')
      .replace('\ndata:\n  accept', '\nrcpt:\n  accept authenticated = *'),
    /match/,
  ),
  warning(
    'eval-outside',
    acl('  warn set acl_m_x = $local_part\n  warn logwrite = ${eval:¦$acl_m_x + 1}'),
    /\$acl_m_x/,
  ),
  warning('eval-outside', transport('  driver = smtp\n  port = ${eval10:2500+¦$local_part}')),
  // Comments behind values.
  error('reference-undefined', router('  driver = accept\n  transport = ¦local # the mailbox'), /comment/),
  error('driver-unknown', transport('  driver = ¦smtp # out'), /comment/),
  error('value-constant', '¦primary_hostname = mail.example # us\n', /comment/),
]
