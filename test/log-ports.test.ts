/** `log_ports`: which port numbers the log shows. Source: Exim manual of 4.100, main option "log_ports". */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freePort, startServer, temporaryFolder } from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'
import { startSink } from './support/smtp-sink.ts'

for (const [says, option, own, theirs] of [
  ['left out: all are shown', () => '', true, true],
  [
    'the port of the next host is left out',
    (_: number, sink: number) => `log_ports = !${sink} : *`,
    true,
    false,
  ],
  ['all but ours', (port: number) => `log_ports = !${port}`, false, true],
  ['only ours', (port: number) => `log_ports = ${port}`, true, false],
  ['none', () => 'log_ports = !*', false, false],
] as const) {
  test(`log_ports ${says}`, async () => {
    const folder = temporaryFolder('log-ports')
    const sink = await startSink()
    const port = await freePort()
    const server = await startServer({
      folder: folder.path,
      port,
      arguments: [],
      configuration: `primary_hostname = mx.test.example
host_lookup =
tls_advertise_hosts =
log_selector = +outgoing_port +incoming_interface +incoming_port
${option(port, sink.port)}
acl_smtp_rcpt = accept
begin routers
far:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = out
begin transports
out:
  driver = smtp
  port = ${sink.port}
`,
    })
    try {
      const client = await connectSmtp(server.port)
      await client.say('EHLO x')
      await client.deliver('a@b.example', ['u@far.example'], 'Subject: x\n\nx\n')
      client.end()
      await server.logged(/Completed/)
      const log = server.log()
      const arrived = / <= .* \[127\.0\.0\.1\]:\d+ I=\[127\.0\.0\.1\](:\d+)? P=/.exec(log)
      const gone = / => .* H=127\.0\.0\.1 \[127\.0\.0\.1\](:\d+)?(?: |$)/m.exec(log)
      assert.deepEqual(
        [arrived?.[1], gone?.[1]],
        [own ? `:${port}` : undefined, theirs ? `:${sink.port}` : undefined],
        log,
      )
    } finally {
      await server.stop()
      await sink.close()
      folder.remove()
    }
  })
}
