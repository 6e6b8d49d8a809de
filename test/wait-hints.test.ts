/**
 * Messages that wait for a host: the hints `wait-TRANSPORT`, and what is sent down a connection once the host is back.
 * Beside Exim 4.96 where it is installed. Source: Exim manual, "Outgoing SMTP and LMTP over TCP/IP", "exim_dumpdb".
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import {
  freePort,
  postern,
  type StartedServer,
  startServer,
  temporaryFolder,
  until,
} from './support/server.ts'
import { bothShow, plainMessage, type Side } from './support/side-by-side.ts'
import { connectSmtp } from './support/smtp-client.ts'
import { type Sink, type SinkScript, startSink } from './support/smtp-sink.ts'

const rest = (port: number, transport = '', main = ''): string => `
${main}
acl_not_smtp = ok
begin acl
ok:
  accept
begin routers
two:
  driver = manualroute
  domains = two.test
  route_list = * 127.88.0.1:127.88.0.2
  self = send
  transport = out
one:
  driver = manualroute
  route_list = * 127.88.0.1
  self = send
  transport = out
begin transports
out:
  driver = smtp
  port = ${port}
  hosts_avoid_tls = *
  hosts_try_chunking =
  ${transport}
begin retry
* * F,1h,1h
`

/** Sends a message and waits for the attempt to end. */
async function send(side: Side, to: string, ...args: string[]): Promise<string> {
  await side.run(['-odf', '-oi', ...args, '-f', 's@a.example', to], plainMessage)
  return side.lastId()
}

async function waiting(side: Side, ids: readonly string[]): Promise<string[]> {
  const text = await side.run(['exim_dumpdb', `${side.home}/spool`, 'wait-out'])
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => line.trim())
    // Exim has no such file before somebody waits.
    .filter((line) => line !== '' && !/^\*\*|^No such file/.test(line))
  return lines
    .map((line) => {
      const [host = '', ...found] = line.split(' ')
      return [host, ...found.map((id) => `message ${ids.indexOf(id) + 1}`).sort()].join(' ')
    })
    .sort()
}

async function sinkAt(address: string, port: number, script: SinkScript = {}): Promise<Sink> {
  return startSink(script, address, port)
}

/** Runs the program without holding up the sinks of this process. */
async function command(server: StartedServer, ...args: string[]): Promise<void> {
  const child = spawn(postern, ['-C', server.configurationFile, ...args], { stdio: 'ignore' })
  await new Promise((resolve) => child.once('close', resolve))
}

const of = (sink: Sink): string[] => sink.messages.map(({ rcpts }) => rcpts.join(' '))

test('two messages deferred to a host follow the next one down the same connection', async () => {
  const port = await freePort()
  const shown = await bothShow({
    configuration: rest(port),
    async play(side) {
      const ids = [await send(side, 'a@x.test'), await send(side, 'b@x.test')]
      const before = await waiting(side, ids)
      const sink = await sinkAt('127.88.0.1', port)
      try {
        // Its retry time is an hour away for all but this one.
        await side.run(['-odq', '-oi', '-f', 's@a.example', 'c@x.test'], plainMessage)
        ids.push(side.lastId())
        await side.run(['-M', ids[2] ?? ''])
        await until(() => (sink.messages.length === 3 ? true : undefined), 30_000)
        const delivered = await until(() => {
          const lines = side.log().filter((line) => line.includes('=> '))
          return lines.length === 3 ? lines.sort() : undefined
        }, 30_000)
        await until(async () => ((await side.run(['-bpc'])) === '0\n' ? true : undefined), 30_000)
        const after = await waiting(side, ids)
        return [
          ...before,
          `connections ${sink.connections}`,
          ...of(sink).sort(),
          ...(delivered ?? ['?']),
          `after: ${after.join(' ')}`,
        ]
      } finally {
        await sink.close()
      }
    },
  })
  assert.equal(shown[0], '127.88.0.1 message 1 message 2')
  assert.equal(shown[1], 'connections 1')
  assert.equal(shown.at(-1), 'after: ')
  assert.equal(shown.filter((line) => line.includes('=> ') && line.includes(']*')).length, 2)
})

for (const [says, script, main] of [
  ['nobody listens', undefined, ''],
  ['greeted with 421', { greeting: '421 busy' }, ''],
  ['MAIL refused for now', { mail: () => '450 wait' }, ''],
  ['RCPT refused for now', { rcpt: () => '450 wait' }, ''],
  ['the message refused for now', { end: () => '450 wait' }, ''],
  ['the connection lost after MAIL', { mail: () => 'drop' }, ''],
  ['queue_smtp_domains', {}, 'queue_smtp_domains = *'],
] as const) {
  test(`who waits for whom: ${says}`, async () => {
    const port = await freePort()
    await bothShow({
      configuration: rest(port, '', main),
      async play(side) {
        const sink = script === undefined ? undefined : await sinkAt('127.88.0.1', port, script)
        const other = script === undefined ? undefined : await sinkAt('127.88.0.2', port, script)
        try {
          const ids = [await send(side, 'a@two.test'), await send(side, 'b@x.test')]
          return [await side.run(['-bpc']), ...(await waiting(side, ids))]
        } finally {
          await sink?.close()
          await other?.close()
        }
      },
    })
  })
}

test('a message whose other host took it waits for nobody', async () => {
  const port = await freePort()
  await bothShow({
    configuration: rest(port),
    async play(side) {
      const other = await sinkAt('127.88.0.2', port)
      try {
        const ids = [await send(side, 'a@two.test')]
        return [await side.run(['-bpc']), ...(await waiting(side, ids))]
      } finally {
        await other.close()
      }
    },
  })
})

test('exim_tidydb takes messages that are gone off the list, exim_fixdb deletes a record', async () => {
  const port = await freePort()
  const shown = await bothShow({
    configuration: rest(port),
    async play(side) {
      const ids = [await send(side, 'a@x.test'), await send(side, 'b@x.test'), await send(side, 'c@two.test')]
      const name = (text: string): string =>
        ids
          .reduce((all, id, i) => all.replaceAll(id, `message ${i + 1}`), text)
          .replaceAll(side.home, 'HOME')
          .replaceAll(/\d\d-\w{3}-\d{4} [\d:]+/g, 'TIME')
          .replaceAll(/spool\/(?:db|hints)/g, 'spool/db')
      const tool = async (program: string, input = ''): Promise<string> =>
        name(await side.run([program, `${side.home}/spool`, 'wait-out'], input))
      await side.run(['-Mrm', ids[0] ?? ''])
      const tidied = await tool('exim_tidydb')
      const left = (await waiting(side, ids)).join(' / ')
      const looked = await tool('exim_fixdb', '127.88.0.2\nd\n127.88.0.2\n')
      await side.run(['-Mrm', ids[1] ?? '', ids[2] ?? ''])
      return [tidied, left, looked, await tool('exim_tidydb'), (await waiting(side, ids)).join(' / ')]
    },
  })
  assert.match(shown[0] ?? '', /updated 127\.88\.0\.1\n/)
})

test('a list of more than fifty messages is shown in several records', async () => {
  const port = await freePort()
  await bothShow({
    configuration: rest(
      port,
      '',
      'queue_smtp_domains = *\nsmtp_accept_queue_per_connection = 0\nacl_smtp_rcpt = ok',
    ),
    async play(side) {
      const one = 'MAIL FROM:<s@a.example>\r\nRCPT TO:<a@x.test>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\n'
      await side.run(['-bs', '-odi'], `EHLO x\r\n${one.repeat(101)}QUIT\r\n`)
      const keys = await side.run(['exim_dumpdb', '-k', `${side.home}/spool`, 'wait-out'])
      const all = await side.run(['exim_dumpdb', `${side.home}/spool`, 'wait-out'])
      const sizes = all
        .trimEnd()
        .split('\n')
        .map((line) => line.trim().split(' ').length - 1)
      return [...keys.trimEnd().split('\n').sort(), sizes.sort((a, b) => a - b).join(' ')]
    },
  })
})

test('connection_max_messages ends the row: what is left waits on', async () => {
  const port = await freePort()
  await bothShow({
    configuration: rest(port, 'connection_max_messages = 2'),
    async play(side) {
      const ids = [await send(side, 'a@x.test'), await send(side, 'b@x.test'), await send(side, 'c@x.test')]
      const sink = await sinkAt('127.88.0.1', port)
      try {
        await side.run(['-odq', '-oi', '-f', 's@a.example', 'd@x.test'], plainMessage)
        await side.run(['-M', side.lastId()])
        await until(async () => ((await side.run(['-bpc'])) === '2\n' ? true : undefined), 30_000)
        const [line = ''] = await waiting(side, ids)
        return [
          `connections ${sink.connections}`,
          `${sink.messages.length}`,
          `${line.split(' message ').length - 1} wait`,
        ]
      } finally {
        await sink.close()
      }
    },
  })
})

test('a frozen message does not follow', async () => {
  const port = await freePort()
  await bothShow({
    configuration: rest(port),
    async play(side) {
      const ids = [await send(side, 'a@x.test'), await send(side, 'b@x.test')]
      await side.run(['-Mf', ids[0] ?? ''])
      const sink = await sinkAt('127.88.0.1', port)
      try {
        await side.run(['-odq', '-oi', '-f', 's@a.example', 'd@x.test'], plainMessage)
        await side.run(['-M', side.lastId()])
        await until(async () => ((await side.run(['-bpc'])) === '1\n' ? true : undefined), 30_000)
        return of(sink).sort()
      } finally {
        await sink.close()
      }
    },
  })
})

test('the hints survive a crash, and what waits follows the first message of the next daemon', async () => {
  const folder = temporaryFolder('wait-crash')
  const port = await freePort()
  const configuration = `primary_hostname = mta.example\nacl_smtp_rcpt = ok\n${rest(port)}`
  const running: StartedServer[] = []
  const begin = () => startServer({ folder: folder.path, configuration, arguments: [] })
  const mail = async (at: number, to: string): Promise<void> => {
    const client = await connectSmtp(at)
    await client.say('EHLO client.example')
    assert.equal((await client.deliver('s@a.example', [to], 'Subject: x\n\nx\n')).code, 250)
    client.end()
  }
  try {
    const first = await begin()
    running.push(first)
    for (const to of ['a@x.test', 'b@x.test']) await mail(first.port, to)
    await first.logged(/== a@x\.test /, 30_000)
    await first.logged(/== b@x\.test /, 30_000)
    await first.kill('SIGKILL')
    const second = await begin()
    running.push(second)
    const sink = await sinkAt('127.88.0.1', port)
    try {
      // The retry time of the host is an hour away: an administrator tries this one.
      await mail(second.port, 'c@x.test')
      await second.logged(/== c@x\.test .*retry time not reached/, 30_000)
      const id = /(\S+) == c@x\.test/.exec(second.log())?.[1] ?? ''
      await command(second, '-M', id)
      await second.logged(/=> a@x\.test .*\]\*/, 30_000)
      await second.logged(/=> b@x\.test .*\]\*/, 30_000)
      assert.equal(sink.connections, 1)
      assert.equal(second.command('-bpc').stdout, '0\n')
    } finally {
      await sink.close()
    }
  } finally {
    for (const server of running) await server.stop()
    folder.remove()
  }
})

test('what waits does not follow down a connection that the server is about to close', async () => {
  const folder = temporaryFolder('wait-unasked')
  const port = await freePort()
  const server = await startServer({
    folder: folder.path,
    arguments: [],
    configuration: `primary_hostname = mta.example\nacl_smtp_rcpt = ok\n${rest(port)}`,
  })
  const mail = async (to: string): Promise<string> => {
    const client = await connectSmtp(server.port)
    await client.say('EHLO client.example')
    assert.equal((await client.deliver('s@a.example', [to], 'Subject: x\n\nx\n')).code, 250)
    client.end()
    await server.logged(new RegExp(`== ${to} `), 30_000)
    return new RegExp(`(\\S+) == ${to}`).exec(server.log())?.[1] ?? ''
  }
  try {
    await mail('a@x.test')
    const id = await mail('b@x.test')
    let taken = 0
    const sink = await sinkAt('127.88.0.1', port, {
      end: () => (++taken === 1 ? '250 taken\n421 too long for me' : '250 taken'),
    })
    try {
      await command(server, '-M', id)
      await server.logged(/=> b@x\.test /, 30_000)
      await server.logged(/[=]> a@x\.test |== a@x\.test .*421/, 30_000)
      assert.match(server.log(), /=> a@x\.test /)
      assert.equal(sink.connections, 2)
    } finally {
      await sink.close()
    }
  } finally {
    await server.stop()
    folder.remove()
  }
})

test('callout=use_sender,hold: the delivery goes on with the connection of the callout', async () => {
  const folder = temporaryFolder('callout-hold')
  const port = await freePort()
  const sink = await sinkAt('127.88.0.1', port)
  const server = await startServer({
    folder: folder.path,
    arguments: [],
    configuration: `primary_hostname = mta.example
acl_smtp_rcpt = asked
${rest(port).replace('begin acl', 'begin acl\nasked:\n  require verify = recipient/callout=use_sender,hold,no_cache\n  accept')}`,
  })
  try {
    const client = await connectSmtp(server.port)
    await client.say('EHLO client.example')
    const to = ['a@x.test', 'b@x.test']
    assert.equal((await client.deliver('s@a.example', to, 'Subject: x\n\nx\n')).code, 250)
    client.end()
    await server.logged(/Completed/, 30_000)
    assert.equal(sink.connections, 1)
    assert.deepEqual(
      sink.commands.map(({ line }) => line.replace(/ SIZE=\d+/, '')),
      [
        'EHLO mta.example',
        'MAIL FROM:<s@a.example>',
        'RCPT TO:<a@x.test>',
        'RCPT TO:<b@x.test>',
        'RSET',
        'MAIL FROM:<s@a.example>',
        'RCPT TO:<a@x.test>',
        'RCPT TO:<b@x.test>',
        'DATA',
      ],
    )
  } finally {
    await server.stop()
    await sink.close()
    folder.remove()
  }
})
