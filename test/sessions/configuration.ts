/** A configuration that both programs take; options are put into its main section. */
export function configuration(options: string, acls: string = ''): string {
  return `primary_hostname = mx.test.example
qualify_domain = test.example
domainlist local_domains = test.example
never_users = root
host_lookup =
tls_advertise_hosts =
smtputf8_advertise_hosts =
helo_lookup_domains =
rfc1413_query_timeout = 0s
log_selector = +all -pid -arguments -millisec
queue_only = true
smtp_banner = mx.test.example ESMTP ready
received_header_text = Received: by mx.test.example
${options}
begin acl
acl_mail:
  deny senders = bad@test.example
    message = you are bad
    log_message = bad sender
  drop senders = drop@test.example
  defer senders = defer@test.example
  accept
acl_rcpt:
  discard local_parts = discard
  deny local_parts = denied
     message = 550 5.7.1 line one\\nline two
     log_message = rcpt denied
  deny local_parts = coded
     message = 553 5.1.3 bad mailbox
  deny local_parts = wrongcode
     message = 450 soft text in deny
  deny local_parts = plain
  defer local_parts = later
     message = come back
  defer local_parts = softcode
     message = 452 4.2.2 full
  drop local_parts = gone
  accept local_parts = worded
     message = 250 2.1.5 certainly
  accept domains = +local_domains
  deny message = relay not permitted
acl_data:
  deny condition = \${if match{$h_subject:}{reject}}
     message = not this subject
  deny condition = \${if match{$h_subject:}{coded}}
     message = 554 5.6.0 content no
     log_message = looked bad
  defer condition = \${if match{$h_subject:}{later}}
  drop condition = \${if match{$h_subject:}{gone}}
  discard condition = \${if match{$h_subject:}{discard}}
  warn condition = \${if match{$h_subject:}{add}}
     add_header = X-Added: yes
  accept
${acls}
begin routers
local:
  driver = accept
  transport = null
begin transports
null:
  driver = appendfile
  file = /dev/null
`
}

export const acls = 'acl_smtp_mail = acl_mail\nacl_smtp_rcpt = acl_rcpt\nacl_smtp_data = acl_data\n'
/** So that a long table does not run into limits. */
export const generous =
  'smtp_max_synprot_errors = 50\nsmtp_max_unknown_commands = 20\nsmtp_accept_max_nonmail = 40\n'
