/**
 * XCLIENT: a trusted host speaks for another client. Source: Exim manual, `hosts_xclient`; Postfix, XCLIENT_README.
 */
import { formatIp, parseIp, unmapped } from '../../../base/ip.ts'
import type { ByteString } from '../../../base/text.ts'
import type { ConnectionFacts } from '../../../ports.ts'
import { decodeXtext } from '../../../wire/smtp/grammar.ts'
import { clientError } from '../errors.ts'
import { welcomeAgain } from '../greeting.ts'
import { xclientNames } from '../xclient-names.ts'
import type { Next, Session } from '../session-state.ts'
import type { Command } from './command.ts'

type Name = (typeof xclientNames)[number]
/** Undefined: told to be not known. */
type Told = Partial<Record<Name, ByteString | undefined>>

/** RFC 5321 section 4.5.3.1.4 with room for xtext. */
const longest = 512

export const xclient: Command = {
  name: 'XCLIENT',
  doc: 'A trusted host tells for which client it speaks.',
  verb: 'XCLIENT',
  nonmail: true,
  groupable: false,
  async proceed(session, argument) {
    if (!session.offers('XCLIENT')) {
      return clientError(session, 'protocol', 503, 'XCLIENT command used when not advertised')
    }
    if (session.transaction !== undefined) {
      return clientError(session, 'protocol', 503, 'XCLIENT is not permitted inside a transaction')
    }
    const told = readAttributes(argument)
    if (typeof told === 'string') return clientError(session, 'syntax', 501, told)
    const wrong = apply(told, session)
    if (wrong !== undefined) return clientError(session, 'syntax', 501, wrong)
    return again(session)
  },
}

function isName(word: string): word is Name {
  return xclientNames.some((name) => name === word)
}

function readAttributes(argument: ByteString): Told | string {
  if (argument === '') return 'XCLIENT must have at least one operand'
  const told: Told = {}
  for (const item of argument.split(/[ \t]+/)) {
    const equals = item.indexOf('=')
    const name = item.slice(0, Math.max(equals, 0)).toUpperCase()
    if (!isName(name)) return `XCLIENT: unrecognised parameter "${equals < 0 ? item : name}"`
    const value = decodeXtext(item.slice(equals + 1))
    if (value === undefined || value.length > longest || /[\0-\x20\x7f]/.test(value)) {
      return `XCLIENT: invalid value for ${name}`
    }
    const unknown = /^\[(?:UNAVAILABLE|TEMPUNAVAIL)\]$/i.test(value)
    told[name] = unknown ? undefined : value
  }
  return told
}

/** Takes over what is told, all of it or nothing; gives the sentence of what is wrong. */
function apply(told: Told, session: Session): string | undefined {
  const { connection } = session
  const changes: Partial<{ -readonly [K in keyof ConnectionFacts]: ConnectionFacts[K] }> = {}
  for (const [field, address, port] of [
    ['host', 'ADDR', 'PORT'],
    ['interface', 'DESTADDR', 'DESTPORT'],
  ] as const) {
    const ip = told[address]
    if (ip !== undefined) {
      const parsed = parseIp(ip.replace(/^IPV6:/i, ''))
      if (parsed === undefined) return `XCLIENT: invalid value for ${address}`
      changes[`${field}Address`] = formatIp(unmapped(parsed))
    } else if (address in told) return `XCLIENT: ${address} must be known`
    const number = told[port]
    if (number === undefined) continue
    if (!/^\d{1,5}$/.test(number) || Number(number) > 65_535) return `XCLIENT: invalid value for ${port}`
    changes[`${field}Port`] = Number(number)
  }
  const { NAME: name, PROTO: protocol, LOGIN: login, HELO: helo } = told
  if (name !== undefined && !/^[A-Za-z0-9_.-]+$/.test(name)) return 'XCLIENT: invalid value for NAME'
  if (protocol !== undefined && !/^(?:SMTP|ESMTP)$/i.test(protocol)) return 'XCLIENT: invalid value for PROTO'
  Object.assign(connection, changes)
  if (changes.hostAddress !== undefined || 'NAME' in told) {
    connection.hostName = name
    connection.hostAliases = []
    // What the trusted host told is not asked for again; what it did not tell is.
    connection.hostLookup = name !== undefined ? 'found' : 'NAME' in told ? 'failed' : 'not done'
    connection.hostDnssec = false
  }
  connection.authenticatedId = login
  connection.authenticatedBy = login === undefined ? undefined : 'xclient'
  connection.authenticatedMechanism = undefined
  connection.helo = helo
  connection.heloVerified = undefined
  if (protocol !== undefined) connection.protocol = protocol.toLowerCase()
  return undefined
}

/** The session begins anew: with the banner, and with the connect ACL for the client that was told. */
async function again(session: Session): Promise<Next> {
  session.reset('XCLIENT')
  session.offerNothing()
  session.heloSeen = false
  session.esmtp = false
  session.authTried = false
  session.mainLog(`XCLIENT: now ${session.who()}`, { event: 'smtp:xclient' })
  return welcomeAgain(session)
}
