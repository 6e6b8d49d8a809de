/** Fields of certificates. Source: Exim manual, "Expansion items", certextract; forms observed of Exim 4.96. */
import type { AlternativeName, CertificateFields, NamePart } from '../../../base/certificate.ts'
import { readCertificate } from '../../../base/certificate.ts'
import { isFailure, type Awaitable, type Outcome } from '../../../base/outcome.ts'
import { taint, textOf, type ByteString } from '../../../base/text.ts'
import { failure, type Environment } from '../environment.ts'
import { compileBranches, quoteItem } from '../evaluate.ts'
import type { ItemRow } from '../rows.ts'
import type { Template } from '../tree.ts'
import { monthDayTime } from '../variables/time.ts'

/** `>:` and the words after the field. */
interface Modifiers {
  readonly separator: string
  readonly words: readonly string[]
}

type Field = (
  certificate: CertificateFields,
  modifiers: Modifiers,
  environment: Environment,
) => ByteString | undefined

const fields: Readonly<Record<string, Field>> = {
  version: ({ version }) => String(version),
  serial_number: ({ serialNumber }) => serialNumber,
  subject: ({ subject }, modifiers) => showName(subject, modifiers),
  issuer: ({ issuer }, modifiers) => showName(issuer, modifiers),
  notbefore: ({ notBefore }, { words }, environment) => showTime(notBefore, words, environment),
  notafter: ({ notAfter }, { words }, environment) => showTime(notAfter, words, environment),
  sig_algorithm: ({ signatureAlgorithm }) => signatureAlgorithm,
  signature: ({ signature }) =>
    Buffer.from(signature)
      .toString('hex')
      .replace(/..(?=.)/g, '$& '),
  subj_altname: ({ alternativeNames }, modifiers) => showAlternatives(alternativeNames, modifiers),
  ocsp_uri: ({ ocspUris }, { separator }) => showList(ocspUris, separator),
  crl_uri: ({ crlUris }, { separator }) => showList(crlUris, separator),
}

export const certextract: ItemRow = {
  name: 'certextract',
  doc: 'Takes a field out of the certificate of a TLS connection.',
  since: '0.1',
  manual: 'Expansion items',
  read(reader, start) {
    const field = reader.argument("missing '{' for field arg of certextract")
    if (field === undefined) return undefined
    const certificate = reader.argument("missing '{' for cert variable arg of certextract")
    if (certificate === undefined) return undefined
    const branches = reader.branches('certextract', start)
    return branches && { arguments: [field, certificate], branches }
  },
  compile(parts, compiler) {
    const [field, variable] = parts.arguments
    const get = certificateOf(variable)
    const word = field === undefined ? () => '' : compiler.template(field)
    const branch = compileBranches('certextract', parts.branches, compiler)
    const finish = (selector: Outcome, environment: Environment): Awaitable<Outcome> => {
      if (isFailure(selector)) return selector
      if (get === undefined) return failure('second argument of "certextract" must be a certificate variable')
      const found = extract(textOf(selector), get(environment), environment)
      if (isFailure(found)) return found
      return branch(environment, { found: found !== undefined, value: taint(found ?? '', '${certextract') })
    }
    return (environment) => {
      const selector = word(environment)
      return selector instanceof Promise
        ? selector.then((settled) => finish(settled, environment))
        : finish(selector, environment)
    }
  },
}

/** A template that is one certificate variable and nothing else. */
export function certificateOf(
  template: Template | undefined,
): ((environment: Environment) => Uint8Array | undefined) | undefined {
  const [node, more] = template?.nodes ?? []
  return more === undefined && node?.kind === 'variable' ? node.row.certificate : undefined
}

function extract(selector: ByteString, bytes: Uint8Array | undefined, environment: Environment) {
  // No certificate: nothing is found, whatever the field.
  if (bytes === undefined) return undefined
  const [name = '', ...words] = selector.split(',')
  const field = Object.hasOwn(fields, name.trim()) ? fields[name.trim()] : undefined
  if (field === undefined) return failure(`bad field selector "${selector}" for certextract`)
  const certificate = readCertificate(bytes)
  if (certificate === undefined) return undefined
  const chosen = words.find((word) => word.startsWith('>') && word.length > 1)
  return field(
    certificate,
    { separator: chosen?.charAt(1) ?? '\n', words: words.filter((word) => !word.startsWith('>')) },
    environment,
  )
}

function showList(values: readonly ByteString[], separator: string): ByteString | undefined {
  return values.length === 0 ? undefined : values.map((value) => quoteItem(value, separator)).join(separator)
}

/** The whole name with commas; with a separator or a label a list. */
function showName(name: readonly NamePart[], { separator, words }: Modifiers): ByteString | undefined {
  const wanted = words.find((word) => !word.includes(' '))
  if (words.length > 0 && wanted === undefined) return showWhole(name)
  const items = name
    .filter(({ type }) => wanted === undefined || type.toLowerCase() === wanted.toLowerCase())
    .map(({ type, value }) => {
      const plain = value.replaceAll('\\,', ',')
      return wanted === undefined ? `${type}=${plain}` : plain
    })
  if (wanted === undefined && separator === '\n') return showWhole(name)
  return showList(items, separator)
}

function showWhole(name: readonly NamePart[]): ByteString | undefined {
  return name.length === 0 ? undefined : name.map(({ type, value }) => `${type}=${value}`).join(',')
}

function showTime(at: number, words: readonly string[], environment: Environment): ByteString {
  return words.includes('int') ? String(Math.floor(at / 1000)) : monthDayTime(at, environment.context)
}

function showAlternatives(
  names: readonly AlternativeName[],
  { separator, words }: Modifiers,
): ByteString | undefined {
  const wanted = words.find((word) => word === 'dns' || word === 'mail' || word === 'uri')
  const chosen = names.filter(({ type }) => wanted === undefined || type === wanted)
  return showList(
    chosen.map(({ type, value }) => (wanted === undefined ? `${type.toUpperCase()}=${value}` : value)),
    separator,
  )
}
