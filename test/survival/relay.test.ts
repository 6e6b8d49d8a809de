/**
 * The upstream default configuration relays mail, and no acknowledged message is lost when the server is killed.
 * Only paths, ports and the relay host are changed. Source of messages and next hop are Postfix's test programs.
 */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fetchDebian, fetchExim, wrapper } from '../support/debian.ts'
import { connectSmtp } from '../support/smtp-client.ts'
import { freePort, type StartedServer, startServer, temporaryFolder, until } from '../support/server.ts'

const messages = 1000

/** Exim's own default configuration, with the next hop on a port of 127.0.0.1 in place of a smarthost on port 25. */
function upstreamConfiguration(sinkPort: number): string | undefined {
  const exim = fetchExim()
  const places = ['/usr/share/doc/exim4-base/examples/example.conf']
  if ('path' in exim) places.unshift(join(exim.path, '..', 'usr/share/doc/exim4-base/examples/example.conf'))
  const file = places.find((each) => existsSync(each))
  if (file === undefined) return undefined
  return (
    readFileSync(file, 'latin1')
      // The relay host of this test speaks no TLS, which smarthost_smtp insists on.
      .replace(/^ {2}transport = smarthost_smtp$/m, '  transport = remote_smtp\n  self = send')
      .replace(/^ {2}ignore_target_hosts = <; 0\.0\.0\.0 .*$/m, '')
      .replace(/^remote_smtp:\n {2}driver = smtp\n/m, `$&  port = ${sinkPort}\n  allow_localhost\n`)
  )
}

interface Sink {
  readonly port: number
  /** Message-Id: values, in the order of the files; a message that came twice is there twice. */
  received(): string[]
}

const cleanUp: (() => void)[] = []
after(() => {
  for (const each of cleanUp) each()
})

async function startSink(root: string, folder: string): Promise<Sink> {
  const port = await freePort()
  const dump = join(folder, 'sink')
  mkdirSync(dump)
  chmodSync(dump, 0o777)
  const user = process.getuid?.() === 0 ? ['-u', 'nobody', '-R', dump] : []
  const child = spawn(
    wrapper(root, 'usr/sbin/smtp-sink'),
    [...user, '-d', user.length > 0 ? 'm.' : join(dump, 'm.'), `127.0.0.1:${port}`, '100'],
    { stdio: 'ignore' },
  )
  cleanUp.push(() => child.kill('SIGKILL'))
  return {
    port,
    received: () =>
      readdirSync(dump).flatMap((name) => {
        // A connection that was cut leaves a file without the end of its message.
        const text = readFileSync(join(dump, name), 'latin1')
        const id = /^Message-Id: <(.*)>/im.exec(text)?.[1]
        return id === undefined || !text.includes('\n\n') ? [] : [id]
      }),
  }
}

test(`the upstream default configuration relays ${messages} messages and survives three kills`, {
  timeout: 240_000,
}, async (t) => {
  const postfix = fetchDebian(['postfix'])
  if ('missing' in postfix) return t.skip(postfix.missing)
  const folder = temporaryFolder('relay')
  cleanUp.push(() => folder.remove())
  const sink = await startSink(postfix.root, folder.path)
  const configuration = upstreamConfiguration(sink.port)
  if (configuration === undefined) {
    return t.skip("Exim's example.conf is not at hand")
  }
  const port = await freePort()
  const start = async (): Promise<StartedServer> =>
    startServer({
      configuration,
      folder: folder.path,
      port,
      arguments: ['-q1s', '-DROUTER_SMARTHOST=127.0.0.1'],
    })
  let server = await start()
  try {
    const source = spawn(
      wrapper(postfix.root, 'usr/sbin/smtp-source'),
      [
        '-s',
        '10',
        '-m',
        String(messages),
        '-l',
        '4000',
        '-f',
        'a@sender.example',
        '-t',
        'b@elsewhere.example',
        `127.0.0.1:${port}`,
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    )
    const status = await new Promise<number | null>((resolve) => source.once('close', resolve))
    assert.equal(status, 0, `smtp-source: ${server.log()}`)
    // What is under way at each kill must come again from the spool.
    for (let kill = 0; kill < 3; kill++) {
      await server.kill('SIGKILL')
      server = await start()
      await new Promise((resolve) => setTimeout(resolve, 150))
    }
    const unique = await until(() => {
      const ids = new Set(sink.received())
      return ids.size >= messages && server.command('-bpc').stdout.trim() === '0' ? ids : undefined
    }, 60_000)
    assert.equal(
      unique?.size ?? new Set(sink.received()).size,
      messages,
      server.log().split('\n').slice(-20).join('\n'),
    )
    assert.equal(server.log('panic'), '')
  } finally {
    await server.stop()
  }
})

test('what a client was told is accepted survives a kill in the middle of reception', {
  timeout: 240_000,
}, async (t) => {
  const postfix = fetchDebian(['postfix'])
  if ('missing' in postfix) return t.skip(postfix.missing)
  const folder = temporaryFolder('kill')
  cleanUp.push(() => folder.remove())
  const sink = await startSink(postfix.root, folder.path)
  const configuration = upstreamConfiguration(sink.port)
  if (configuration === undefined) {
    return t.skip("Exim's example.conf is not at hand")
  }
  const port = await freePort()
  const start = async (): Promise<StartedServer> =>
    startServer({
      configuration,
      folder: folder.path,
      port,
      arguments: ['-q1s', '-DROUTER_SMARTHOST=127.0.0.1'],
    })
  let server = await start()
  const acknowledged = new Set<string>()
  try {
    let number = 0
    for (let round = 0; round < 3; round++) {
      let running = true
      const senders = Array.from({ length: 10 }, async () => {
        while (running) {
          const id = `kill.${round}.${number++}@sender.example`
          try {
            const client = await connectSmtp(port)
            await client.say('EHLO sender.example')
            const reply = await client.deliver(
              'a@sender.example',
              ['b@elsewhere.example'],
              `Message-Id: <${id}>\nFrom: a@sender.example\nSubject: x\n\n${'line\n'.repeat(100)}`,
            )
            if (reply.code === 250) acknowledged.add(id)
            client.end()
          } catch {
            // The server was killed under this session: nothing was promised.
          }
        }
      })
      const enough = acknowledged.size + 20
      const taken = await until(() => (acknowledged.size >= enough ? true : undefined), 60_000)
      assert.ok(taken, `only ${acknowledged.size} messages were taken`)
      await server.kill('SIGKILL')
      running = false
      await Promise.all(senders)
      server = await start()
    }
    const missing = (): string[] => {
      const there = new Set(sink.received())
      return [...acknowledged].filter((id) => !there.has(id))
    }
    await until(() => (missing().length === 0 ? true : undefined), 60_000)
    assert.deepEqual(missing(), [], `of ${acknowledged.size} acknowledged messages these are lost`)
    const received = sink.received()
    const twice = received.length - new Set(received).size
    // A message whose delivery was under way at a kill may come twice, at most one a connection and kill.
    assert.ok(twice <= 3 * 20, `${twice} of ${received.length} messages came twice`)
  } finally {
    await server.stop()
  }
})

test('smtp-source and smtp-sink work without Postern between them', (t) => {
  const postfix = fetchDebian(['postfix'])
  if ('missing' in postfix) return t.skip(postfix.missing)
  const help = spawnSync(wrapper(postfix.root, 'usr/sbin/smtp-source'), ['-h'], { encoding: 'utf8' })
  assert.match(help.stderr + help.stdout, /smtp-source/)
})
