/**
 * `postern ocsp-fetch` and `tls_ocsp_fetch` before a responder whose answers are made by openssl, good and bad.
 * Requirements O9 and O10.
 */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { after, before, test } from 'node:test'
import { connect } from 'node:tls'
import { noOpenssl, TestAuthority } from './support/certificates.ts'
import { postern, type StartedServer, startServer, temporaryFolder, until } from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'

const skip = noOpenssl
const folder = temporaryFolder('ocsp-fetch')
const at = (name: string): string => `${folder.path}/${name}`
let ca: TestAuthority
let responder: Server
let url = ''
/** What the responder answers: a file, or an HTTP status. */
let answer: string | number = 'good.der'
const requests: Buffer[] = []
const running: StartedServer[] = []

before(async () => {
  if (skip !== false) return
  responder = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      requests.push(Buffer.concat(pieces))
      assert.equal(request.headers['content-type'], 'application/ocsp-request')
      if (typeof answer === 'number') response.writeHead(answer).end()
      else
        response.writeHead(200, { 'content-type': 'application/ocsp-response' }).end(readFileSync(at(answer)))
    })
  })
  await new Promise<void>((resolve) => responder.listen(0, '127.0.0.1', resolve))
  const address = responder.address()
  url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/`
  ca = new TestAuthority(folder.path)
  ca.leaf('mail.example', { ocspUrl: url })
  ca.leaf('silent.example')
  ca.leaf('rogue-int', { issuer: 'ca', authority: true })
  ca.responder('resp')
  ca.responder('soon', { days: 2 })
  ca.responder('noeku', { usage: 'serverAuth' })
  ca.proof('good.der', 'mail.example', { signer: 'resp' })
  ca.proof('soon.der', 'mail.example', { signer: 'soon' })
  ca.proof('revoked.der', 'mail.example', { signer: 'resp', revoked: true })
  ca.proof('noeku.der', 'mail.example', { signer: 'noeku' })
  ca.proof('other.der', 'silent.example', { signer: 'resp' })
  ca.proof('nocert.der', 'mail.example', { signer: 'resp', switches: ['-resp_no_certs'] })
  ca.redated('good.der', 'expired.der', 'resp', -9, -2)
  writeFileSync(at('later.der'), Buffer.from([0x30, 3, 0x0a, 1, 3]))
})
after(async () => {
  for (const server of running) await server.stop()
  responder?.close()
  folder.remove()
})

interface Ran {
  readonly status: number | null
  readonly out: string
  readonly err: string
}
/** Not spawnSync: the responder answers in this process. */
async function fetch(...args: string[]): Promise<Ran> {
  const child = spawn(postern, ['ocsp-fetch', ...args])
  let [out, err] = ['', '']
  child.stdout.on('data', (bytes: Buffer) => (out += bytes.toString()))
  child.stderr.on('data', (bytes: Buffer) => (err += bytes.toString()))
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { status, out, err }
}

test('O9: a proof is fetched with the switches of the helper of 2014', { skip }, async () => {
  const args = [
    '-c',
    at('mail.example.pem'),
    '-i',
    at('int.pem'),
    '-a',
    at('ca.pem'),
    '-u',
    url,
    '-o',
    at('out.der'),
  ]
  const done = await fetch(...args, '-m', '20', '-v')
  assert.deepEqual([done.status, done.err], [0, ''], done.out)
  assert.match(done.out, /asking http:\/\/127\.0\.0\.1:\d+\/\n.*good until .*, next fetch at/)
  assert.deepEqual(readFileSync(at('out.der')), readFileSync(at('good.der')))
  assert.ok(!existsSync(at('out.der.tmp')))
  // Seven days, 20 % of them before the end.
  const days = (statSync(at('out.der')).mtimeMs - Date.now()) / 86_400_000
  assert.ok(days > 5.55 && days < 5.65, String(days))
  // The responder can read the request.
  writeFileSync(at('request.der'), requests.at(-1) ?? '')
  const read = spawnSync('openssl', ['ocsp', '-reqin', at('request.der'), '-req_text'], { encoding: 'utf8' })
  assert.ok(read.stdout.includes(`Serial Number: ${ca.serial('mail.example')}`), read.stdout + read.stderr)
  const before = requests.length
  const early = await fetch(...args, '-v')
  assert.equal(early.status, 0)
  assert.match(early.out, /not due before/)
  assert.equal(requests.length, before, 'nothing is asked before it is time')
  await fetch(...args, '-f')
  assert.equal(requests.length, before + 1, '-f asks all the same')
})

test('O9: issuer and responder are found from the certificate itself', { skip }, async () => {
  const done = await fetch('-c', at('mail.example.chain'), '-o', at('aia.der'))
  assert.deepEqual([done.status, done.out, done.err], [0, '', ''])
  assert.ok(existsSync(at('aia.der')))
})

test('O9: a certificate without a responder is passed over in silence', { skip }, async () => {
  const done = await fetch('-c', at('silent.example.chain'), '-o', at('silent.der'))
  assert.deepEqual([done.status, done.out, done.err], [0, '', ''])
  assert.ok(!existsSync(at('silent.der')))
})

const refused: readonly { says: string; answers: string | number; err: RegExp }[] = [
  {
    says: 'revoked',
    answers: 'revoked.der',
    err: /OCSP status is revoked: the certificate is revoked since/,
  },
  { says: 'tryLater', answers: 'later.der', err: /OCSP status is tryLater/ },
  { says: 'a signer without OCSPSigning', answers: 'noeku.der', err: /not for signing OCSP responses/ },
  { says: 'another certificate', answers: 'other.der', err: /about another certificate/ },
  { says: 'a signer that is not embedded', answers: 'nocert.der', err: /signer certificate not embedded/ },
  { says: 'an old proof', answers: 'expired.der', err: /has expired at/ },
  { says: 'no OCSP response', answers: 'ca.pem', err: /cannot be read/ },
  { says: 'an error of HTTP', answers: 503, err: /HTTP status 503/ },
]
for (const c of refused) {
  test(`O10: what is not good is not installed: ${c.says}`, { skip }, async () => {
    answer = c.answers
    writeFileSync(at('kept.der'), 'the old one')
    const done = await fetch('-c', at('mail.example.chain'), '-o', at('kept.der'), '-f')
    answer = 'good.der'
    assert.equal(done.status, 1)
    assert.match(done.err, c.err)
    assert.equal(readFileSync(at('kept.der'), 'utf8'), 'the old one')
  })
}

test('O10: a signer whose certificate ends before the proof is noticed, and its end counts', {
  skip,
}, async () => {
  answer = 'soon.der'
  const done = await fetch('-c', at('mail.example.chain'), '-o', at('soon.out'))
  answer = 'good.der'
  assert.equal(done.status, 0)
  assert.match(
    done.err,
    /the signer's certificate ends at \S+, before the proof \(\S+\): it is used until then/,
  )
  const days = (statSync(at('soon.out')).mtimeMs - Date.now()) / 86_400_000
  assert.ok(days > 1.7 && days < 1.9, String(days))
})

test('O9: an issuer that did not issue it, or descends from nobody given, is refused', { skip }, async () => {
  const wrong = await fetch('-c', at('mail.example.pem'), '-i', at('ca.pem'), '-o', at('x.der'))
  assert.match(wrong.err, /did not issue the certificate/)
  const none = await fetch('-c', at('mail.example.pem'), '-o', at('x.der'))
  assert.match(none.err, /the issuer of the certificate is not in its chain: name it with -i/)
  const foreign = await fetch('-c', at('mail.example.chain'), '-a', at('rogue-int.pem'), '-o', at('x.der'))
  assert.match(foreign.err, /does not descend from the authorities/)
  assert.equal((await fetch('-o', at('x.der'))).status, 2)
})

test('O9: --watch stays and ends by a signal', { skip }, async () => {
  const child = spawn(postern, [
    'ocsp-fetch',
    '-c',
    at('mail.example.chain'),
    '-o',
    at('watch.der'),
    '--watch',
  ])
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  await until(() => (existsSync(at('watch.der')) ? true : undefined), 20_000)
  assert.equal(child.exitCode, null)
  child.kill('SIGTERM')
  assert.equal(await ended, 0)
})

async function start(configuration: string, name: string): Promise<StartedServer> {
  const place = temporaryFolder(name)
  const server = await startServer({
    configuration: `primary_hostname = mail.example\nhost_lookup =\n${configuration}acl_smtp_rcpt = accept\n`,
    folder: place.path,
    arguments: [],
  })
  running.push({ ...server, stop: async () => server.stop().then(() => place.remove()) })
  return server
}

/** Whether a proof is stapled to what the server shows under this name. */
async function stapled(port: number, servername: string): Promise<boolean> {
  const client = await connectSmtp(port)
  await client.say('EHLO client.example')
  await client.say('STARTTLS')
  client.socket.removeAllListeners('data')
  const options = { socket: client.socket, servername, rejectUnauthorized: false, requestOCSP: true }
  const socket = connect(options)
  const got = await new Promise<Buffer | null>((resolve, reject) => {
    let proof: Buffer | null = null
    socket.on('OCSPResponse', (response: Buffer | null) => (proof = response))
    socket.once('secureConnect', () => resolve(proof)).once('error', reject)
  })
  socket.destroy()
  return got !== null && got.length > 0
}

test('tls_ocsp_fetch: the daemon fetches, verifies and staples by itself, and tells of failures once', {
  skip,
}, async () => {
  answer = 'noeku.der'
  const server = await start(
    `tls_ocsp_fetch = true
tls_certificate = ${at('mail.example.chain')}
tls_privatekey = ${at('mail.example.key')}
`,
    'ocsp-keeper',
  )
  await server.logged(
    /OCSP proof of mail\.example cannot be fetched, trying again later: the signer's certificate is not for signing/,
  )
  assert.equal(await stapled(server.port, 'mail.example'), false)
  answer = 'soon.der'
  const second = await start(
    `tls_ocsp_fetch = true
tls_certificate = ${at('mail.example.chain')}
tls_privatekey = ${at('mail.example.key')}
`,
    'ocsp-keeper',
  )
  await second.logged(/OCSP proof of mail\.example fetched from http:\/\/127\.0\.0\.1:\d+\/: good until/)
  await second.logged(/its signer's certificate ends at \S+, before the proof/)
  assert.equal(await stapled(second.port, 'mail.example'), true)
  answer = 'good.der'
})

test('tls_ocsp_fetch: into the files of tls_ocsp_file; nothing is said of certificates without a responder', {
  skip,
}, async () => {
  const place = temporaryFolder('ocsp-into')
  spawnSync('chmod', ['777', place.path])
  const server = await start(
    `tls_ocsp_fetch = true
tls_certificate = \${if eq{$tls_in_sni}{silent.example}{${at('silent.example.chain')}}{${at('mail.example.chain')}}}
tls_privatekey = \${if eq{$tls_in_sni}{silent.example}{${at('silent.example.key')}}{${at('mail.example.key')}}}
tls_ocsp_file = \${if eq{$tls_in_sni}{silent.example}{}{${place.path}/mail.der}}
`,
    'ocsp-keeper',
  )
  await server.logged(/OCSP proof of mail\.example fetched/)
  assert.ok(existsSync(`${place.path}/mail.der`))
  assert.equal(await stapled(server.port, 'mail.example'), true)
  assert.equal(await stapled(server.port, 'silent.example'), false)
  assert.doesNotMatch(server.log(), /silent/)
  place.remove()
})
