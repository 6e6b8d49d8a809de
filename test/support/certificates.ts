/** An authority for tests, made by openssl when a test begins: certificates, OCSP responses, revocations. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { sign } from 'node:crypto'
import { appendFileSync, chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type DerPart, derParts } from '../../src/wire/tls/ocsp/der.ts'

/** False, or why tests that need openssl are skipped. */
export const noOpenssl: false | string =
  spawnSync('openssl', ['version']).status === 0 ? false : 'no openssl on this machine'

export interface LeafOptions {
  /** Subject alternative names; left out: `DNS:NAME,DNS:localhost`. */
  readonly names?: string
  readonly issuer?: string
  readonly days?: number
  /** URL of the OCSP responder, in the certificate. */
  readonly ocspUrl?: string
  readonly mustStaple?: boolean
  readonly rsa?: boolean
  /** Extended key usage; empty: none. */
  readonly usage?: string
  readonly authority?: boolean
}

export interface ProofOptions {
  /** Who signs: a responder's or an authority's name. */
  readonly signer: string
  readonly days?: number
  readonly revoked?: boolean
  /** Further switches of `openssl ocsp`. */
  readonly switches?: readonly string[]
  readonly issuer?: string
}

/** A root `ca`, an intermediate `int` (used unless told otherwise), and what tests make of them. */
export class TestAuthority {
  readonly folder: string

  constructor(folder: string) {
    this.folder = folder
    this.openssl(
      'req',
      '-x509',
      ...newKey('ca', false),
      '-out',
      'ca.pem',
      '-days',
      '3650',
      '-subj',
      '/CN=Test Root',
    )
    this.#readable('ca')
    this.leaf('int', { issuer: 'ca', authority: true, days: 3000 })
  }

  at(name: string): string {
    return join(this.folder, name)
  }

  read(name: string): Buffer {
    return readFileSync(this.at(name))
  }

  openssl(...args: string[]): string {
    const done = spawnSync('openssl', args, { encoding: 'utf8', cwd: this.folder })
    assert.equal(done.status, 0, `openssl ${args.join(' ')}\n${done.stderr}`)
    return done.stdout
  }

  /** Makes NAME.key, NAME.pem and NAME.chain (with its issuer's certificate). */
  leaf(name: string, options: LeafOptions = {}): void {
    const issuer = options.issuer ?? 'int'
    const extensions = [
      options.authority === true
        ? 'basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,cRLSign'
        : `subjectAltName=${options.names ?? `DNS:${name},DNS:localhost`}`,
      'subjectKeyIdentifier=hash',
      ...(options.usage === '' || options.authority === true
        ? []
        : [`extendedKeyUsage=${options.usage ?? 'serverAuth,clientAuth'}`]),
      ...(options.ocspUrl === undefined ? [] : [`authorityInfoAccess=OCSP;URI:${options.ocspUrl}`]),
      ...(options.mustStaple === true ? ['1.3.6.1.5.5.7.1.24=DER:3003020105'] : []),
    ]
    writeFileSync(this.at(`${name}.ext`), `${extensions.join('\n')}\n`)
    this.openssl(
      'req',
      '-new',
      ...newKey(name, options.rsa === true),
      '-out',
      `${name}.csr`,
      '-subj',
      `/O=Test/CN=${name}`,
    )
    this.openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      `${issuer}.pem`,
      '-CAkey',
      `${issuer}.key`,
      '-CAcreateserial',
      '-days',
      String(options.days ?? 90),
      '-extfile',
      `${name}.ext`,
      '-out',
      `${name}.pem`,
    )
    writeFileSync(
      this.at(`${name}.chain`),
      Buffer.concat([this.read(`${name}.pem`), this.read(`${issuer}.pem`)]),
    )
    this.#readable(name)
  }

  /** A certificate that may sign OCSP responses for `int`. */
  responder(
    name: string,
    options: { readonly days?: number; readonly usage?: string; readonly issuer?: string } = {},
  ): void {
    this.leaf(name, { usage: 'OCSPSigning', days: 400, ...options })
  }

  serial(name: string): string {
    return this.openssl('x509', '-in', `${name}.pem`, '-noout', '-serial').trim().split('=')[1] ?? ''
  }

  /** Writes an OCSP response about a certificate to FILE, in DER. */
  proof(file: string, leaf: string, options: ProofOptions): void {
    const index = `${file}.index`
    const line =
      options.revoked === true ? ['R', '401231235959Z', '200101000000Z'] : ['V', '401231235959Z', '']
    writeFileSync(this.at(index), `${[...line, this.serial(leaf), 'unknown', `/CN=${leaf}`].join('\t')}\n`)
    const issuer = options.issuer ?? 'int'
    spawnSync(
      'openssl',
      [
        'ocsp',
        '-index',
        index,
        '-CA',
        `${issuer}.pem`,
        '-rsigner',
        `${options.signer}.pem`,
        '-rkey',
        `${options.signer}.key`,
        '-issuer',
        `${issuer}.pem`,
        '-cert',
        `${leaf}.pem`,
        '-no_nonce',
        '-respout',
        file,
        ...(options.days === undefined
          ? ['-ndays', '7']
          : options.days > 0
            ? ['-ndays', String(options.days)]
            : []),
        ...(options.switches ?? []),
      ],
      { cwd: this.folder },
    )
    assert.ok(existsSync(this.at(file)), `no OCSP response ${file}`)
    chmodSync(this.at(file), 0o644)
  }

  /** The same response with other times, signed anew: openssl makes none that has expired. */
  redated(file: string, into: string, signer: string, fromDays: number, toDays: number): void {
    const [, wrapped] = parts(parts(this.read(file))[0]?.content)
    const [type, octets] = parts(parts(wrapped?.content)[0]?.content)
    const [signed, algorithm, , certificates] = parts(parts(octets?.content)[0]?.content)
    assert.ok(type !== undefined && signed !== undefined && algorithm !== undefined)
    let seen = 0
    // producedAt and thisUpdate, then nextUpdate.
    const dated = signed.whole
      .toString('latin1')
      .replace(/\d{14}Z/g, () => generalizedTime(seen++ < 2 ? fromDays : toDays))
    const bytes = Buffer.from(dated, 'latin1')
    const signature = sign('sha256', bytes, this.read(`${signer}.key`))
    const basic = der(
      0x30,
      bytes,
      algorithm.whole,
      der(0x03, Buffer.from([0]), signature),
      certificates?.whole,
    )
    const response = der(
      0x30,
      der(0x0a, Buffer.from([0])),
      der(0xa0, der(0x30, type.whole, der(0x04, basic))),
    )
    writeFileSync(this.at(into), response)
    chmodSync(this.at(into), 0o644)
  }

  /** The file as PEM, in a block "OCSP RESPONSE". */
  pem(file: string, into: string, certificates: readonly string[] = []): void {
    const lines =
      this.read(file)
        .toString('base64')
        .match(/.{1,64}/g) ?? []
    writeFileSync(
      this.at(into),
      `-----BEGIN OCSP RESPONSE-----\n${lines.join('\n')}\n-----END OCSP RESPONSE-----\n`,
    )
    for (const each of certificates) appendFileSync(this.at(into), this.read(`${each}.pem`))
  }

  /** A revocation list of `issuer` for these certificates, in FILE. */
  crl(file: string, issuer: string, revoked: readonly string[]): void {
    writeFileSync(
      this.at(`${file}.conf`),
      `[ca]\ndefault_ca=d\n[d]\ndatabase=${file}.db\ncrlnumber=${file}.number\ndefault_md=sha256\ndefault_crl_days=30\n`,
    )
    writeFileSync(
      this.at(`${file}.db`),
      revoked
        .map((name) => `R\t401231235959Z\t200101000000Z\t${this.serial(name)}\tunknown\t/CN=${name}\n`)
        .join(''),
    )
    writeFileSync(this.at(`${file}.number`), '01\n')
    this.openssl(
      'ca',
      '-gencrl',
      '-config',
      `${file}.conf`,
      '-cert',
      `${issuer}.pem`,
      '-keyfile',
      `${issuer}.key`,
      '-out',
      file,
    )
    chmodSync(this.at(file), 0o644)
  }

  /** The daemon runs as another user than the one that made the files. */
  #readable(name: string): void {
    for (const each of [`${name}.key`, `${name}.pem`, `${name}.chain`]) {
      if (existsSync(this.at(each))) chmodSync(this.at(each), 0o644)
    }
  }
}

/** Makes NAME.key, readable to all, and NAME.crt, which nobody but itself signed. */
export function selfSigned(
  folder: string,
  name: string,
  subject: string,
  switches: readonly string[] = [],
): void {
  const made = spawnSync(
    'openssl',
    [
      'req',
      '-x509',
      ...newKey(name, false),
      '-out',
      `${name}.crt`,
      '-days',
      '30',
      '-subj',
      subject,
      ...switches,
    ],
    { encoding: 'utf8', cwd: folder },
  )
  assert.equal(made.status, 0, made.stderr)
  for (const each of ['key', 'crt']) chmodSync(join(folder, `${name}.${each}`), 0o644)
}

function newKey(name: string, rsa: boolean): string[] {
  const kind = rsa ? ['rsa:2048'] : ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
  return ['-newkey', ...kind, '-nodes', '-keyout', `${name}.key`]
}

function parts(bytes: Buffer | undefined): DerPart[] {
  return derParts(bytes ?? Buffer.alloc(0)) ?? []
}

function der(tag: number, ...contents: (Buffer | undefined)[]): Buffer {
  const content = Buffer.concat(contents.map((each) => each ?? Buffer.alloc(0)))
  const length = content.length < 128 ? [content.length] : [0x82, content.length >> 8, content.length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...length]), content])
}

function generalizedTime(days: number): string {
  return new Date(Date.now() + days * 86_400_000).toISOString().replace(/[-:T]|\.\d+/g, '')
}
