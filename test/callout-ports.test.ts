/** Callouts to two servers on one address, told apart by their ports, beside Exim 4.96 where it is installed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freePort } from './support/server.ts'
import { bothShow } from './support/side-by-side.ts'
import { type SinkScript, startSink } from './support/smtp-sink.ts'

interface Case {
  readonly says: string
  /** Undefined: nobody listens. */
  readonly first: SinkScript | undefined
  readonly second: SinkScript | undefined
  readonly code: number
}

const cases: readonly Case[] = [
  { says: 'the first takes the address', first: {}, second: { rcpt: () => '550 no' }, code: 250 },
  { says: 'the first refuses it', first: { rcpt: () => '550 no' }, second: {}, code: 550 },
  { says: 'nobody listens at the first', first: undefined, second: {}, code: 250 },
  {
    says: 'nobody listens at the first, the second refuses',
    first: undefined,
    second: { rcpt: () => '550 no' },
    code: 550,
  },
  { says: 'the first is busy', first: { greeting: '421 busy' }, second: {}, code: 250 },
  { says: 'the first does not know now', first: { rcpt: () => '450 later' }, second: {}, code: 250 },
  { says: 'neither knows now', first: { rcpt: () => '450 later' }, second: undefined, code: 451 },
]

for (const list of ['127.88.0.5::P1:127.88.0.5::P2', '<, 127.88.0.5:P1, 127.88.0.5:P2']) {
  for (const { says, first, second, code } of cases) {
    test(`two ports of one address (${list.startsWith('<') ? 'commas' : 'colons'}): ${says}`, async () => {
      const ports = [await freePort(), await freePort()] as const
      const shown = await bothShow({
        configuration: `
acl_smtp_rcpt = ask
host_lookup =
begin acl
ask:
  require verify = recipient/callout=10s,no_cache
  accept
begin routers
all:
  driver = manualroute
  route_list = * "${list.replace('P1', String(ports[0])).replace('P2', String(ports[1]))}"
  self = send
  transport = out
begin transports
out:
  driver = smtp
  hosts_avoid_tls = *
`,
        async play(side) {
          const sinks = await Promise.all(
            [first, second].map(async (script, i) =>
              script === undefined ? undefined : startSink(script, '127.88.0.5', ports[i]),
            ),
          )
          try {
            const said = await side.run(
              ['-bhc', '192.0.2.7'],
              'HELO me\r\nMAIL FROM:<s@a.example>\r\nRCPT TO:<a@x.test>\r\nQUIT\r\n',
            )
            const replies = said.split('\n').filter((line) => /^[245]\d\d /.test(line))
            return [
              replies.at(-2)?.slice(0, 3) ?? said,
              ...sinks.map((sink) => sink?.commands.map(({ line }) => line).join(' | ') ?? 'nobody'),
            ]
          } finally {
            for (const sink of sinks) await sink?.close()
          }
        },
      })
      assert.equal(shown[0], String(code))
    })
  }
}
