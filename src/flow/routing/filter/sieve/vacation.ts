/** The action `vacation`: answers each sender once in some days. Source: RFC 5230. */
import { listHeaders } from '../list-headers.ts'
import { createHash } from 'node:crypto'
import type { ByteString } from '../../../../base/text.ts'
import { parseAddress } from '../../../../mail/parse-address.ts'
import { encodeWords } from '../../../../mail/rfc2047.ts'
import { onlyString, readArguments } from './arguments.ts'
import { SieveError, type SieveNode } from './grammar.ts'
import { addressValues, envelopeFrom, envelopeTo, headerValues } from './message.ts'
import type { SieveAction } from './actions.ts'
import type { SieveScript } from './script.ts'

/** RFC 5230 section 4.1: days; a site may set bounds, which are here those of Exim. */
const days = { least: 1, usual: 7, most: 31 }

export function compileVacation(node: SieveNode, script: SieveScript): SieveAction {
  const read = readArguments(node, {
    days: 'number',
    subject: 'string',
    from: 'string',
    addresses: 'strings',
    mime: 'nothing',
    handle: 'string',
  })
  const reason = script.text(onlyString(node, read, 'reason string'), node.line)
  const from = read.string('from')
  if (from !== undefined && parseAddress(from).is === 'error')
    throw new SieveError('malformed address', node.line)
  const wait = Math.min(days.most, Math.max(days.least, read.number('days') ?? days.usual))
  const mime = read.has('mime')
  if (mime && /[\x80-\xff]/.test(reason))
    throw new SieveError('MIME reason string contains 8bit text', node.line)
  const given = read.string('subject')
  // RFC 5230 section 4.2: two calls that say the same share what they remember.
  const handle = read.string('handle') ?? [given ?? '', from ?? '', mime ? '1' : '0', reason].join('\0')
  const own = (read.strings('addresses') ?? []).map((address) => address.toLowerCase())
  return (run) => {
    // RFC 5230 section 4.7: once in a script.
    if (script.vacationRan) throw new SieveError('trying to execute vacation more than once', node.line)
    script.vacationRan = true
    const { context, options } = script
    const sender = envelopeFrom(context)
    const self = envelopeTo(context)
    if (sender === '' || isMachine(sender) || !isForUser(script, [self.toLowerCase(), ...own])) return
    if (isAutomatic(script)) return
    const original = headerValues('subject', context)[0] ?? ''
    const subject = oneLine(given ?? (original === '' ? 'Automated reply' : `Auto: ${original}`))
    const { headers, text } = mime ? mimeParts(reason) : plainParts(reason)
    run.deliveries.push({
      is: 'reply',
      noError: true,
      reply: {
        to: sender,
        from: from ?? self,
        subject: encodeWords(subject, 'utf-8'),
        headers,
        text,
        once: `${options.vacationDirectory ?? ''}/${createHash('md5').update(handle, 'latin1').digest('hex')}`,
        once_repeat: `${wait}d`,
      },
    })
  }
}

/** RFC 5230 section 4.5: the user's address stands in a header that names recipients. */
function isForUser({ context }: SieveScript, own: readonly ByteString[]): boolean {
  const names = ['to', 'cc', 'bcc', 'resent-to', 'resent-cc', 'resent-bcc']
  return names.some((name) =>
    addressValues(name, context).some((address) => own.includes(address.toLowerCase())),
  )
}

/** RFC 5230 section 4.6. */
function isMachine(sender: ByteString): boolean {
  const localPart = sender.slice(0, sender.lastIndexOf('@')).toLowerCase()
  return (
    localPart.startsWith('owner-') ||
    localPart.endsWith('-request') ||
    /^(?:mailer-daemon|listserv|majordomo)$/.test(localPart)
  )
}

function isAutomatic({ context }: SieveScript): boolean {
  if ([...listHeaders].some((name) => headerValues(name, context).length > 0)) return true
  if (headerValues('auto-submitted', context).some((value) => value.toLowerCase() !== 'no')) return true
  return headerValues('precedence', context).some((value) => /bulk|list|junk/i.test(value))
}

export function oneLine(text: ByteString): ByteString {
  return text.replaceAll(/[\s\0]*[\r\n][\s\0]*/g, ' ').trim()
}

interface Parts {
  readonly headers: ByteString
  readonly text: ByteString
}

/** As Exim sends them. */
function plainParts(reason: ByteString): Parts {
  return {
    headers:
      'MIME-Version: 1.0\nContent-Type: text/plain;\n\tcharset="utf-8"\nContent-Transfer-Encoding: quoted-printable',
    text: quotedPrintable(reason),
  }
}

/** RFC 2045 section 6.7: lines of at most 76 characters. */
export function quotedPrintable(text: ByteString): ByteString {
  return text
    .split('\n')
    .map((line) => {
      const encoded = line.replace(
        /[^\x20-\x3c\x3e-\x7e\t]|[ \t]$/g,
        (char) => `=${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
      )
      return (encoded.match(/(?:=[0-9A-F]{2}|[^=]){1,25}/g) ?? []).join('=\n')
    })
    .join('\n')
}

/** RFC 5230 section 4.4: the reason is a MIME entity, its headers first. */
function mimeParts(reason: ByteString): Parts {
  const end = reason.indexOf('\n\n')
  const section = reason.startsWith('\n') ? '' : end < 0 ? reason : reason.slice(0, end)
  // Only MIME's own headers: others would forge.
  const lines = section.match(/[^\n]+(?:\n[ \t][^\n]*)*/g) ?? []
  const kept = lines.filter((line) => /^(?:content-[a-z-]+|mime-version)[ \t]*:/i.test(line))
  const version = kept.some((line) => /^mime-version/i.test(line)) ? [] : ['MIME-Version: 1.0']
  const text = reason.startsWith('\n') ? reason.slice(1) : end < 0 ? '' : reason.slice(end + 2)
  return { headers: [...version, ...kept].join('\n'), text }
}
