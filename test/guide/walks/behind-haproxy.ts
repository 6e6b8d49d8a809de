import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect as connectTls } from 'node:tls'
import { fetchDebian, wrapper } from '../../support/debian.ts'
import { connectRaw } from '../../support/proxied-client.ts'
import { until } from '../../support/server.ts'
import { assertShown } from '../page.ts'
import { atEnd, logged, readIfThere, restartOn, shell, type Walk, waitMs, write } from '../world.ts'

const haproxy = () => fetchDebian(['haproxy'])
const listening = {
  main: 'daemon_smtp_ports = 42526\nprimary_hostname = mail.example.net\nqueue_only\nhost_lookup =\ntls_advertise_hosts =\n',
}

export const behindHaproxy: Walk = {
  hostname: 'mail.example.net',
  needs: [haproxy],
  async walk(page) {
    write('/etc/haproxy/haproxy.cfg', page.take('listen smtp', 'send-proxy-v2'))
    const made = spawnSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-keyout',
        'k',
        '-out',
        'c',
        '-subj',
        '/CN=smtp.example.net',
        '-days',
        '9',
      ],
      { cwd: '/etc/haproxy' },
    )
    assert.equal(made.status, 0)
    writeFileSync(
      '/etc/haproxy/mail.pem',
      readFileSync('/etc/haproxy/c', 'utf8') + readFileSync('/etc/haproxy/k', 'utf8'),
    )
    const postern = page.take('hosts_proxy')
    const accepting = { main: 'acl_smtp_rcpt = accept\n' }
    const hosts = { main: 'hostlist known = 127.0.0.9\n' }
    await restartHere({ main: postern }, accepting, hosts, listening)
    startProxy()
    await sendThrough()
    await logged(page.take('PRX='), [[/\bH=\(client\.example\.net\)/, 'H=\\(client\\.example\\.net\\)']])

    const warning = page.take('proxy-list-local')
    write('/root/exim.conf', `# 1\n# 2\n# 3\n# 4\n# 5\n# 6\nhosts_proxy = 127.0.0.0/8\n`)
    assertShown(warning, (await shell('postern check exim.conf')).all)

    const [said, dialogue] = await unproxied(['EHLO localhost', 'QUIT'])
    assert.equal(dialogue.length, 3, said)
    assertShown(page.take('503 Command refused').replaceAll(/^(?:EHLO|QUIT).*\n/gm, ''), said)
    const early = await connectRaw(42526, [], { from: '127.0.0.3' })
    early.send('EHLO early\r\n')
    assertShown(page.take('554 SMTP synchronization error'), await early.hears(/554 [^\n]*\n/))
    early.end()
    await logged(page.take('timed out'))

    const [option = '', acl = ''] = page.take('acl_smtp_connect').split('\n\n')
    await restartHere({ main: postern }, { main: option }, { acl }, accepting, hosts, listening)
    const tls = connectTls({
      port: 42565,
      host: '127.0.0.1',
      servername: 'smtp.example.net',
      rejectUnauthorized: false,
    })
    await new Promise((resolve, reject) => tls.once('data', resolve).once('error', reject))
    tls.destroy()
    await unproxied(['QUIT'])
    await logged(page.take('asked for smtp.example.net'), [[/TLSv1\.3/, 'TLSv1\\.3']])

    await restartHere(
      { main: postern },
      { main: page.take('counts_client') },
      { main: 'smtp_accept_max_per_host = 1\n' },
      accepting,
      hosts,
      listening,
    )
    // The proxy's own health checks and others come from 127.0.0.3, which is not limited.
    const [one, two] = [await through('127.0.0.9'), await through('127.0.0.10')]
    assert.match(await one.hears(/^220 [^\n]*\n/), /^220/)
    assert.match(await two.hears(/^220 [^\n]*\n/), /^220/)
    const third = await through('127.0.0.9')
    assert.match(await third.hears(/\n/), /^421/)
    for (const each of [one, two, third]) each.end()
  },
}

async function restartHere(
  ...parts: readonly { readonly main?: string; readonly acl?: string }[]
): Promise<void> {
  await restartOn(42526, ...parts)
}

function startProxy(): void {
  const fetched = haproxy()
  if ('missing' in fetched) throw new Error(fetched.missing)
  const child = spawn(wrapper(fetched.root, 'usr/sbin/haproxy'), ['-f', '/etc/haproxy/haproxy.cfg', '-db'], {
    stdio: 'inherit',
  })
  atEnd(() => void child.kill('SIGKILL'))
}

const through = (from: string) => connectRaw(42525, [], { from })

async function sendThrough(): Promise<void> {
  const up = await until(async () => {
    const client = await through('127.0.0.9').catch(() => undefined)
    if (client === undefined) return undefined
    try {
      await client.hears(/^220 /)
    } catch {
      return undefined
    }
    for (const line of [
      'EHLO client.example.net',
      'MAIL FROM:<me@example.net>',
      'RCPT TO:<you@example.net>',
      'DATA',
      'Subject: x\r\n\r\nhello\r\n.',
      'QUIT',
    ])
      await client.say(line)
    client.end()
    return true
  }, waitMs)
  assert.equal(up, true, readIfThere('/var/log/postern/mainlog'))
}

/** From the proxy's address, without its header; waits for the banner. */
async function unproxied(lines: readonly string[]): Promise<[string, readonly string[]]> {
  const client = await connectRaw(42526, [], { from: '127.0.0.3' })
  const heard = [await client.hears(/^220 [^\n]*\n/)]
  for (const line of lines) heard.push(await client.say(line))
  client.end()
  return [heard.join('\n'), heard]
}
