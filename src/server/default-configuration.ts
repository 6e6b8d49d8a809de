/**
 * The configuration of `postern start` when no file is given: takes mail on the loopback address, delivers it to
 * users of this machine into Maildir folders, relays for this machine only. Names in capitals come with `-D`-like
 * definitions from `tools/cli/commands/start.ts`.
 */

/** Shown in place of a file name in messages about it. */
export const defaultConfigurationName = '(built-in configuration)'

export interface StartValues {
  /** Absolute path of the data folder. */
  readonly data: string
  readonly address: string
  readonly port: number
  /** User name and numeric ids under which everything runs. */
  readonly uid: number
  readonly gid: number
  /** Local part of who started it: gets the mail for postmaster. */
  readonly starter: string
}

export function defaultConfiguration(values: StartValues): string {
  return `# The configuration that \`postern start\` uses when none is given.
# Copy it, change it, and start with: postern start --config FILE

DATA    = ${values.data}
ADDRESS = ${values.address}
PORT    = ${values.port}
RUN_UID = ${values.uid}
RUN_GID = ${values.gid}
STARTER = ${values.starter}

spool_directory   = DATA/spool
log_file_path     = DATA/logs/%slog
pid_file_path     = DATA/postern.pid
local_interfaces  = <; ADDRESS
daemon_smtp_ports = PORT
exim_user         = RUN_UID
exim_group        = RUN_GID
qualify_domain    = localhost

domainlist local_domains    = localhost : @
hostlist   relay_from_hosts = <; 127.0.0.1 ; ::1

acl_smtp_rcpt   = acl_check_rcpt
acl_smtp_data   = acl_check_data
tls_advertise_hosts =
smtp_accept_max = 500
# A whole session may be piped in at once, as with nc.
smtp_enforce_sync = false
remote_max_parallel = 10

begin acl

acl_check_rcpt:
  accept  local_parts = postmaster
          domains     = +local_domains
  deny    domains     = +local_domains
          local_parts = ^[.] : ^.*[@%!/|]
          message     = restricted characters in address
  accept  hosts       = +relay_from_hosts
          ! domains   = +local_domains
  require message     = relay not permitted
          domains     = +local_domains
  require message     = unknown user
          verify      = recipient
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

postmaster:
  driver = redirect
  local_parts = postmaster : abuse : mailer-daemon
  data = STARTER@localhost

local_user:
  driver = accept
  check_local_user
  transport = maildir
  cannot_route_message = Unknown user

begin transports

remote_smtp:
  driver = smtp

maildir:
  driver = appendfile
  directory = DATA/mail/$local_part_data
  maildir_format
  delivery_date_add
  envelope_to_add
  return_path_add
  user = RUN_UID
  group = RUN_GID

begin retry

*  *  F,2h,15m; G,16h,1h,1.5; F,4d,6h
`
}
