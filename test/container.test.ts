/**
 * What container/Containerfile starts, without an image: tini as process 1, the program as a uid that nobody knows,
 * the configuration of the image, the queue in a folder that everybody may write, in namespaces of their own.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { enter, namespaces } from './guide/world.ts'
import { fetchDebian } from './support/debian.ts'
import { postern, repository, until } from './support/server.ts'

const unshare = [...namespaces, 'sh', '-c', enter, 'sh']
const tini = fetchDebian(['tini'])
const skip =
  'missing' in tini
    ? tini.missing
    : process.getuid?.() !== 0 || spawnSync('unshare', [...unshare, 'true']).status !== 0
      ? 'needs root and namespaces'
      : false
const program = 'root' in tini ? join(tini.root, 'usr/bin/tini') : ''
const containerfile = readFileSync(join(repository, 'container', 'Containerfile'), 'utf8')
const uid = 54_321

const image = `
rm -rf /etc/postern /var/spool/postern /var/log/postern
mkdir -p /etc/postern /var/spool/postern
cp '${join(repository, 'container', 'postern.conf')}' /etc/postern/postern.conf
chmod 1777 /var/spool/postern
ln -sf '${postern}' /usr/local/bin/postern
cd /
exec env -i PATH=/usr/local/bin:/usr/bin:/bin setpriv --reuid=${uid} --regid=${uid} --clear-groups --bounding-set=-all '${program}' -- postern -bdf -q5m
`

let child: ChildProcess | undefined
after(() => void child?.kill('SIGKILL'))

test('the Containerfile starts what this test starts', () => {
  assert.match(containerfile, /^ENTRYPOINT \["tini", "--", "postern"\]$/m)
  assert.match(containerfile, /^CMD \["-bdf", "-q5m"\]$/m)
  assert.match(containerfile, /chmod 1777 \/var\/spool\/postern/)
  assert.match(containerfile, /^COPY container\/postern\.conf \/etc\/postern\/postern\.conf$/m)
  assert.match(containerfile, /^HEALTHCHECK .* CMD \["postern", "health"\]$/m)
})

test('process 1, any uid, logs on standard output, health, signals', { skip, timeout: 240_000 }, async () => {
  const container = spawn('unshare', [...unshare, 'bash', '-c', image], { stdio: ['ignore', 'pipe', 'pipe'] })
  child = container
  let said = ''
  for (const stream of [container.stdout, container.stderr])
    stream.on('data', (bytes) => (said += String(bytes)))
  const ended = new Promise<number | null>((resolve) => container.once('exit', (code) => resolve(code)))
  const first = await until(() => {
    const text = readFileSync(`/proc/${container.pid}/task/${container.pid}/children`, 'utf8').trim()
    return text !== '' && said.includes('daemon started') ? text : undefined
  }, 60_000)
  assert.ok(first !== undefined, said)
  assert.match(readFileSync(`/proc/${first}/comm`, 'utf8'), /^tini/)
  assert.match(readFileSync(`/proc/${first}/status`, 'utf8'), new RegExp(`^Uid:\\t${uid}\\t${uid}`, 'm'))
  const inside = (...words: string[]) =>
    spawnSync(
      'nsenter',
      [
        ...['-t', first, '-m', '-p', '-n'],
        ...['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'],
        ...words,
      ],
      { encoding: 'utf8', timeout: 60_000 },
    )
  const health = await until(() => {
    const { status, stdout } = inside('postern', 'health')
    return status === 0 ? stdout : undefined
  }, 60_000)
  assert.match(health ?? '', /^healthy: (?:127\.0\.0\.1|\[::1\]):2525 answers 220 \(\d+ ms\)\n$/)

  const wire = join(dirname(fileURLToPath(import.meta.url)), 'host', 'wire.js')
  const sent = inside(process.execPath, wire, 'send', '2525', 'a@b.example', 'c@d.example', 'hello')
  assert.equal(sent.status, 0, sent.stderr + said)
  assert.ok(await until(() => (/ <= a@b\.example .* P=esmtp/.test(said) ? true : undefined), 60_000), said)

  // What a delivery leaves behind is nobody's child but that of process 1, which reaps it.
  const orphan = inside('sh', '-c', '(sleep 0.2 & echo $!)').stdout.trim()
  assert.match(orphan, /^\d+$/)
  assert.ok(
    await until(() => (inside('test', '-e', `/proc/${orphan}`).status === 1 ? true : undefined), 30_000),
    'it stays a zombie',
  )

  process.kill(Number(first), 'SIGHUP')
  assert.ok(
    await until(() => (/SIGHUP received: re-exec daemon/.test(said) ? true : undefined), 60_000),
    said,
  )
  assert.ok(await until(() => (inside('postern', 'health').status === 0 ? true : undefined), 60_000), said)
  process.kill(Number(first), 'SIGTERM')
  const code = await Promise.race([
    ended,
    new Promise((resolve) => setTimeout(() => resolve('still there'), 60_000)),
  ])
  assert.equal(code, 0, said)
})
