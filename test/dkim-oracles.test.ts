/** DKIM beside mailauth and dkimpy, in both directions: what they sign we verify, what we sign they verify. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import { splitHeaders } from '../src/mail/header.ts'
import { beginSeal, seal } from '../src/policy/msgauth/arc/seal.ts'
import { ArcVerifier } from '../src/policy/msgauth/arc/verifier.ts'
import { BodyHashes, type Canonicalisation } from '../src/policy/msgauth/dkim/body-hash.ts'
import { HeaderSet } from '../src/policy/msgauth/dkim/headers.ts'
import { beginSigning, finishSigning } from '../src/policy/msgauth/dkim/sign.ts'
import { fetchDebian } from './support/debian.ts'
import {
  ed25519Key,
  rsaKey,
  type TestKey,
  txtDns,
  usual,
  verifyMessage,
  wireParts,
} from './support/dkim-world.ts'
import { temporaryFolder } from './support/server.ts'

const rsa = rsaKey(2048)
const ed = ed25519Key()
const zone: Record<string, string> = {
  'rsa._domainkey.one.test': `v=DKIM1; k=rsa; p=${rsa.data}`,
  'ed._domainkey.one.test': `v=DKIM1; k=ed25519; p=${ed.data}`,
}
const keyOf: Readonly<Record<string, TestKey>> = { rsa, ed }
const crlf = (text: string): string => text.replaceAll('\n', '\r\n')
const messages: Readonly<Record<string, string>> = {
  plain:
    'From: A <a@one.test>\nTo: b@x.test\nSubject: hello  there\nDate: Thu, 1 Jan 2026 00:00:00 +0000\n\nHello  World \n\nbye\n\n\n',
  empty: 'From: a@one.test\nSubject: nothing\n\n',
  folded: 'From: A\n <a@one.test>\nSubject: a\n\tb   c\nTo: x@y.test,\n  z@y.test\n\n \n\t\n.\n..\nx',
  long: `From: a@one.test\nSubject: many\n\n${'word \t word\n'.repeat(3000)}\n \n`,
}
const canons: readonly Canonicalisation[] = ['relaxed', 'simple']

function ourSignature(message: string, selector: string, canonicalisation: Canonicalisation): string {
  const { head, body } = wireParts(message)
  const hashes = new BodyHashes()
  const key = keyOf[selector] ?? rsa
  const begun = beginSigning(
    {
      domain: 'one.test',
      selector,
      key: key.privateKey,
      hash: 'sha256',
      canonicalisation,
      identity: '@one.test',
      times: undefined,
      headers: ['+From', 'Subject', 'To', 'Reply-To'],
    },
    hashes,
  )
  hashes.push(body)
  hashes.finish()
  const texts = splitHeaders(head).map(({ text }) => text)
  return crlf(finishSigning(begun, new HeaderSet(texts))) + message
}

async function statusOf(message: string): Promise<string> {
  const { signatures } = await verifyMessage(message, zone)
  return signatures.map(({ status, detail }) => `${status}${detail}`).join(' ')
}

const require = createRequire(import.meta.url)
const resolver = (name: string): Promise<string[][]> =>
  zone[name] === undefined
    ? Promise.reject(Object.assign(new Error('not found'), { code: 'ENOTFOUND' }))
    : Promise.resolve([[zone[name]]])

test('mailauth verifies what we sign, and we what it signs', async (t) => {
  // The functions are those of the package's type files; its main entry wants a newer Node.
  const { dkimVerify } = require('mailauth/lib/dkim/verify') as {
    dkimVerify(
      message: string,
      options: object,
    ): Promise<{ results: { status: { result: string; comment?: string } }[] }>
  }
  const { dkimSign } = require('mailauth/lib/dkim/sign') as {
    dkimSign(message: string, options: object): Promise<{ signatures: string; errors: unknown[] }>
  }
  for (const [name, text] of Object.entries(messages)) {
    for (const canon of canons) {
      for (const selector of ['rsa', 'ed']) {
        await t.test(`${name}, ${canon}, ${selector}`, async () => {
          const ours = await dkimVerify(ourSignature(crlf(text), selector, canon), { resolver })
          assert.equal(ours.results[0]?.status.result, 'pass', JSON.stringify(ours.results[0]))
          const { signatures, errors } = await dkimSign(crlf(text), {
            canonicalization: `${canon}/${canon}`,
            signatureData: [
              {
                signingDomain: 'one.test',
                selector,
                privateKey: keyOf[selector]?.privateKey.export({ type: 'pkcs8', format: 'pem' }),
                algorithm: selector === 'rsa' ? 'rsa-sha256' : 'ed25519-sha256',
              },
            ],
          })
          assert.deepEqual(errors, [])
          assert.equal(await statusOf(signatures + crlf(text)), 'pass')
        })
      }
    }
  }
})

const python = ['python3', '/usr/bin/python3'].find((each) => spawnSync(each, ['--version']).status === 0)
const dkimpy =
  python === undefined
    ? { missing: 'no python3 on this machine' }
    : fetchDebian(['python3-dkim', 'python3-dnspython', 'python3-nacl'])

/** One run of python for all questions: it is slow to start. */
const script = `
import json, sys, base64
import dkim
jobs = json.load(open(sys.argv[1]))
zone = {k.encode() + b'.': v.encode() for k, v in jobs['zone'].items()}
def txt(name, timeout=5):
    return zone.get(name if name.endswith(b'.') else name + b'.')
out = {}
for name, job in jobs['jobs'].items():
    message = job['message'].encode('latin-1')
    try:
        if job['do'] == 'verify':
            out[name] = 'pass' if dkim.verify(message, dnsfunc=txt) else 'fail'
        elif job['do'] == 'arc':
            out[name] = dkim.arc_verify(message, dnsfunc=txt)[0].decode()
        else:
            c = job['canon'].encode()
            sig = dkim.sign(message, job['selector'].encode(), b'one.test', job['key'].encode(), canonicalize=(c, c),
                signature_algorithm=job['algorithm'].encode())
            out[name] = sig.decode('latin-1')
    except Exception as error:
        out[name] = 'error ' + repr(error)
print(json.dumps(out))
`

interface Job {
  readonly do: 'verify' | 'sign' | 'arc'
  readonly message: string
  readonly canon?: string
  readonly selector?: string
  readonly key?: string
  readonly algorithm?: string
}

function ask(root: string, jobs: Readonly<Record<string, Job>>): Record<string, string> | undefined {
  const folder = temporaryFolder('dkimpy')
  try {
    const file = join(folder.path, 'jobs.json')
    writeFileSync(join(folder.path, 'ask.py'), script)
    writeFileSync(file, JSON.stringify({ zone, jobs }))
    const { stdout } = spawnSync(python ?? 'python3', [join(folder.path, 'ask.py'), file], {
      encoding: 'utf8',
      timeout: 60_000,
      env: { ...process.env, PYTHONPATH: join(root, 'usr', 'lib', 'python3', 'dist-packages') },
    })
    if (stdout === '') return undefined
    const said: Record<string, string> = JSON.parse(stdout)
    return said
  } finally {
    folder.remove()
  }
}

/** A chain of three seals by us. */
function ourChain(): string {
  let message = crlf(messages['plain'] ?? '')
  for (let i = 1; i <= 3; i++) {
    message = `Authentication-Results: one.test; arc=${i === 1 ? 'none' : 'pass'}\r\n${message}`
    const { head, body } = wireParts(message)
    const hashes = new BodyHashes()
    const wanted = beginSeal(hashes)
    hashes.push(body)
    hashes.finish()
    const texts = splitHeaders(head).map(({ text }) => text)
    const made = seal(texts, wanted, {
      domain: 'one.test',
      authservId: 'one.test',
      selector: 'rsa',
      key: rsa.privateKey,
      created: 1_700_000_000,
      expires: undefined,
      state: undefined,
    })
    if ('why' in made) throw new Error(made.why)
    message = crlf(made.headers) + message
  }
  return message
}

test('dkimpy verifies what we sign and seal, and we what it signs', {
  skip: 'missing' in dkimpy ? dkimpy.missing : false,
}, async (t) => {
  if ('missing' in dkimpy) return
  const jobs: Record<string, Job> = { chain: { do: 'arc', message: ourChain() } }
  for (const [name, text] of Object.entries(messages)) {
    for (const canon of canons) {
      for (const selector of ['rsa', 'ed']) {
        // dkimpy takes a bare Ed25519 key in base64.
        const key = keyOf[selector]?.privateKey
        const pem =
          selector === 'rsa'
            ? key?.export({ type: 'pkcs1', format: 'pem' }).toString()
            : key?.export({ type: 'pkcs8', format: 'der' }).subarray(16).toString('base64')
        jobs[`${name} ${canon} ${selector} verify`] = {
          do: 'verify',
          message: ourSignature(crlf(text), selector, canon),
        }
        jobs[`${name} ${canon} ${selector} sign`] = {
          do: 'sign',
          message: crlf(text),
          canon,
          selector,
          key: pem ?? '',
          algorithm: selector === 'rsa' ? 'rsa-sha256' : 'ed25519-sha256',
        }
      }
    }
  }
  const said = ask(dkimpy.root, jobs)
  if (said === undefined) return t.skip('dkimpy does not run with the python of this machine')
  for (const [name, job] of Object.entries(jobs)) {
    await t.test(name, async (inner) => {
      const answer = said[name] ?? 'nothing'
      if (/NaCl|nacl|Unknown signature algorithm/.test(answer))
        return inner.skip('dkimpy has no Ed25519 here')
      if (job.do !== 'sign') assert.equal(answer, 'pass')
      else assert.equal(await statusOf(answer + job.message), 'pass', answer)
    })
  }
})

test('mailauth verifies a chain that we sealed', async () => {
  const { dkimVerify } = require('mailauth/lib/dkim/verify') as {
    dkimVerify(message: string, options: object): Promise<{ arc?: unknown }>
  }
  const { arc } = require('mailauth/lib/arc') as {
    arc(data: unknown, options: object): Promise<{ status: { result: string } }>
  }
  const { arc: data } = await dkimVerify(ourChain(), { resolver })
  const result = await arc(data, { resolver })
  assert.equal(result.status.result, 'pass', JSON.stringify(result.status))
})

test('we verify the chain too', async () => {
  const { head, body } = wireParts(ourChain())
  const hashes = new BodyHashes()
  const headers = new HeaderSet(splitHeaders(head).map(({ text }) => text))
  const verifier = new ArcVerifier(headers, hashes, usual.fewestBits, Date.now())
  hashes.push(body)
  hashes.finish()
  assert.equal((await verifier.finish(txtDns(zone))).state, 'pass')
})
