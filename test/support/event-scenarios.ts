/** Deliveries that raise events: one sink a domain, one configuration, for Postern and for a real Exim. */
import { type Sink, startSink, type SinkScript } from './smtp-sink.ts'
import { freePort } from './server.ts'

/** What each domain's server does. */
const scripts: Readonly<Record<string, SinkScript>> = {
  'ok.test': { extensions: ['PIPELINING'] },
  'greet4.test': { greeting: '421 busy' },
  'greet5.test': { greeting: '554 never' },
  'mail4.test': { mail: () => '451 mail later' },
  'mail5.test': { mail: () => '550 mail never' },
  'rcpt4.test': { rcpt: (line) => (line.includes('bad') ? '450 rcpt later' : '250 ok') },
  'rcpt5.test': { rcpt: (line) => (line.includes('bad') ? '550 rcpt never' : '250 ok') },
  'data4.test': { data: '452 no data now' },
  'data5.test': { data: '554 no data ever' },
  'end4.test': { end: () => '452 full' },
  'end5.test': { end: () => '550 spam' },
  'drop.test': { mail: () => 'drop' },
  'hang.test': { mail: () => 'hang' },
}

export interface EventScenarios {
  readonly configuration: string
  close(): Promise<void>
}

/** @param more lines of the main section */
export async function eventScenarios(action: string, more = ''): Promise<EventScenarios> {
  const sinks: Sink[] = []
  const ports = [`refused.test=${await freePort()}`]
  for (const [domain, script] of Object.entries(scripts)) {
    const sink = await startSink(script)
    sinks.push(sink)
    ports.push(`${domain}=${sink.port}`)
  }
  return {
    configuration: `
primary_hostname = mta.example
qualify_domain = mta.example
log_selector = +smtp_confirmation
event_action = ${action}
${more}
acl_not_smtp = acl_ok
begin acl
acl_ok:
  accept
ev:
  accept logwrite = EV $event_name|$event_data|$event_defer_errno|$host|$host_address|$local_part@$domain|$router_name|$transport_name
begin routers
unknown:
  driver = redirect
  domains = fail.test
  allow_fail
  data = :fail: no such place
local:
  driver = accept
  domains = local.test
  transport = box
full:
  driver = accept
  domains = full.test
  transport = full
piped:
  driver = accept
  domains = pipe.test
  transport = pipe
remote:
  driver = manualroute
  domains = *.test
  route_list = * 127.0.0.1
  self = send
  transport = out
begin transports
box:
  driver = appendfile
  file = BOX
  user = 65534
  group = 65534
  event_action = ${action}
full:
  driver = appendfile
  file = /etc
  user = 65534
  group = 65534
  event_action = ${action}
pipe:
  driver = pipe
  command = /bin/false
  user = 65534
  group = 65534
  event_action = ${action}
out:
  driver = smtp
  port = \${extract{$domain}{${ports.join(' ')}}}
  hosts_avoid_tls = *
  command_timeout = 2s
  connect_timeout = 2s
  hosts_try_chunking =
  event_action = ${action}
begin retry
* * F,1h,15m
`,
    close: async () => {
      for (const sink of sinks) await sink.close()
    },
  }
}
