/** Certificates and keys that do not belong together: swapped, of another pair, or something else; ciphers that nobody knows. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import type { Report, Span } from '../../../base/diagnostic.ts'
import { Expandable } from '../../../base/expandable.ts'
import { cipherProblem } from '../../../wire/tls/contexts.ts'
import type { Check, HostView } from './subject.ts'

interface Pair {
  readonly certificate: Expandable
  /** Undefined: the key stands in the file of the certificate. */
  readonly key: Expandable | undefined
}

export const tlsFiles: Check = {
  name: 'tls-files',
  doc: 'Certificates and private keys that do not belong together.',
  run({ configuration: { main, transports }, host }, report) {
    for (const settings of [main, ...[...transports.values()].map((transport) => transport.settings)]) {
      const valueOf = (name: string): unknown => Object.getOwnPropertyDescriptor(settings, name)?.value
      const [certificate, key] = [valueOf('tls_certificate'), valueOf('tls_privatekey')]
      if (certificate instanceof Expandable)
        judge({ certificate, key: key instanceof Expandable ? key : undefined }, host, report)
      const ciphers = valueOf('tls_require_ciphers')
      if (ciphers instanceof Expandable && !/[$\\]/.test(ciphers.text)) judgeCiphers(ciphers, report)
    }
  },
}

function judgeCiphers(setting: Expandable, report: Report): void {
  const message = cipherProblem(setting.text.trim())
  if (message === undefined) return
  report({
    code: 'tls-ciphers',
    severity: 'error',
    message,
    at: setting.span(),
    help: 'such as HIGH:!aNULL; "openssl ciphers" lists what a value stands for',
  })
}

const hasCertificate = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/
const hasKey = /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/

function judge({ certificate, key }: Pair, host: HostView, report: Report): void {
  const first = contents(certificate, host)
  const second = key === undefined || key.text.trim() === '' ? first : contents(key, host)
  if (first === undefined || second === undefined) return
  const tell = (message: string, at: Span, help: string): void =>
    report({ code: 'tls-files', severity: 'error', message, at, help })
  if (!hasCertificate.test(first.text)) {
    const swapped = hasKey.test(first.text) && hasCertificate.test(second.text)
    const help = swapped
      ? 'tls_certificate and tls_privatekey are swapped'
      : 'it begins with -----BEGIN CERTIFICATE-----'
    return tell(`there is no certificate in ${first.path}`, certificate.span(), help)
  }
  if (!hasKey.test(second.text))
    return tell(
      `there is no private key in ${second.path}`,
      (second === first ? certificate : (key ?? certificate)).span(),
      second === first ? 'name its file with tls_privatekey' : 'it begins with -----BEGIN PRIVATE KEY-----',
    )
  const ended = endOf(first.text)
  if (ended !== undefined && ended.getTime() < Date.now())
    tell(
      `the certificate in ${first.path} ended on ${ended.toISOString().slice(0, 10)}`,
      certificate.span(),
      'clients that verify it do not go on; renew it',
    )
  if (belong(first.text, second.text) === false)
    tell(
      `the private key in ${second.path} is not that of the certificate in ${first.path}`,
      (key ?? certificate).span(),
      'take the two files that were made together; a renewed certificate may have a new key',
    )
}

/** Undefined unless the option is the name of one file that can be read. */
function contents(
  option: Expandable,
  host: HostView,
): { readonly path: string; readonly text: string } | undefined {
  const path = option.text.trim()
  if (!/^\/[^$\\:]+$/.test(path) || host.look(path) !== 'file') return undefined
  const text = host.read(path)
  return text === undefined ? undefined : { path, text }
}

function endOf(certificate: string): Date | undefined {
  try {
    return new Date(new X509Certificate(certificate).validTo)
  } catch {
    return undefined
  }
}

/** Undefined: one of the two cannot be read by us. */
function belong(certificate: string, key: string): boolean | undefined {
  try {
    const loaded: KeyObject = createPrivateKey(key)
    return new X509Certificate(certificate).checkPrivateKey(loaded)
  } catch {
    return undefined
  }
}
