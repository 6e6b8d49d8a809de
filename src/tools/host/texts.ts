/** The files that `postern install` writes: the systemd unit, the logrotate rule, a first configuration. */
import { installed } from './layout.ts'

/** What the unit must know of this host. */
export interface UnitValues {
  /** The Node that runs. */
  readonly node: string
  /** `bin/postern` of the package. */
  readonly program: string
}

/**
 * The daemon begins as root: it binds ports, and starts local deliveries under the uids of their users; the workers
 * that read the network run as the user postern (see docs/guide/install.md). So the unit takes away what neither needs,
 * and leaves home folders and mailboxes writable.
 */
export function unitFile({ node, program }: UnitValues): string {
  return `# Written by "postern install". Changes belong into "systemctl edit postern": this file is renewed at upgrades.
[Unit]
Description=Postern mail transfer agent
Documentation=man:postern(8)
After=network-online.target nss-lookup.target
Wants=network-online.target

[Service]
Type=notify
NotifyAccess=all
ExecStart=${quoted(node)} ${quoted(program)} -bdf -q30m
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=2s
TimeoutStopSec=90s
RuntimeDirectory=postern
LimitNOFILE=65536
UMask=0027

# Ports below 1024, deliveries under other uids, and giving files to their owners: nothing more.
CapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_SETUID CAP_SETGID CAP_CHOWN CAP_FOWNER CAP_DAC_OVERRIDE CAP_KILL
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
LockPersonality=yes
ProtectSystem=full
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
PrivateDevices=yes

[Install]
WantedBy=multi-user.target
`
}

/** A file that was renamed is noticed within a second and opened anew, so nothing has to be signalled. */
export function logrotateFile(): string {
  return `# Written by "postern install". The daemon notices a renamed log within a second and opens it anew.
${installed.logs}/mainlog ${installed.logs}/rejectlog {
	daily
	missingok
	rotate 10
	compress
	delaycompress
	notifempty
	create 0640 ${installed.user} adm
	su ${installed.user} adm
}
${installed.logs}/paniclog {
	size 10M
	missingok
	rotate 10
	compress
	delaycompress
	notifempty
	create 0640 ${installed.user} adm
	su ${installed.user} adm
}
`
}

/** What serves until the administrator says otherwise: this host alone, on the loopback addresses. */
export function firstConfiguration(): string {
  return `# Postern's configuration, in Exim's language (https://exim.org/docs.html describes it). "postern check" reads it
# and tells every mistake. As it stands Postern listens on this host alone; to take mail from outside, change
# local_interfaces, and think of tls_certificate.

local_interfaces = <; 127.0.0.1 ; ::1
domainlist local_domains    = @ : localhost
domainlist relay_to_domains =
hostlist   relay_from_hosts = <; 127.0.0.1 ; ::1

acl_smtp_rcpt = acl_check_rcpt
acl_smtp_data = acl_check_data
tls_advertise_hosts =
never_users = root
ignore_bounce_errors_after = 2d
timeout_frozen_after = 7d

begin acl

acl_check_rcpt:
  deny    domains     = +local_domains
          local_parts = ^[.] : ^.*[@%!/|]
          message     = Restricted characters in address
  deny    domains     = !+local_domains
          local_parts = ^[./|] : ^.*[@%!] : ^.*/\\.\\./
          message     = Restricted characters in address
  accept  local_parts = postmaster
          domains     = +local_domains
  accept  hosts       = +relay_from_hosts
          control     = submission
  require message     = relay not permitted
          domains     = +local_domains : +relay_to_domains
  require verify      = recipient
  accept

acl_check_data:
  accept

begin routers

elsewhere:
  driver = dnslookup
  domains = ! +local_domains
  transport = remote_smtp
  ignore_target_hosts = <; 0.0.0.0 ; 127.0.0.0/8 ; ::1
  no_more

system_aliases:
  driver = redirect
  allow_fail
  allow_defer
  data = \${if exists{/etc/aliases}{\${lookup{$local_part}lsearch{/etc/aliases}}}}

local_user:
  driver = accept
  check_local_user
  transport = local_delivery
  cannot_route_message = Unknown user

begin transports

remote_smtp:
  driver = smtp

local_delivery:
  driver = appendfile
  file = /var/mail/$local_part_data
  delivery_date_add
  envelope_to_add
  return_path_add
  group = mail
  mode = 0660

begin retry

*  *  F,2h,15m; G,16h,1h,1.5; F,4d,6h
`
}

/** Words of a unit file are split at white space unless quoted. Source: systemd.syntax(7), "Quoting". */
function quoted(word: string): string {
  return /^[\w/.@+-]+$/.test(word) ? word : `"${word.replaceAll(/["\\]/g, '\\$&').replaceAll('%', '%%')}"`
}
