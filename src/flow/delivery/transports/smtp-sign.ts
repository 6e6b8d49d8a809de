/** DKIM signatures and ARC seals on what the smtp transport sends. Source: Exim manual, "Signing outgoing messages". */
import type { Expandable } from '../../../base/expandable.ts'
import { Failure } from '../../../base/outcome.ts'
import { type ByteString, retaint, type Text, textOf } from '../../../base/text.ts'
import type { TransportInstance } from '../../../language/config/configuration.ts'
import { splitHeaders } from '../../../mail/header.ts'
import { beginSeal, seal, type SealWish } from '../../../policy/msgauth/arc/seal.ts'
import { BodyHashes } from '../../../policy/msgauth/dkim/body-hash.ts'
import { signHeaders } from '../../../policy/msgauth/dkim/default-headers.ts'
import { HeaderSet } from '../../../policy/msgauth/dkim/headers.ts'
import { readPrivateKey } from '../../../policy/msgauth/dkim/private-key.ts'
import { beginSigning, finishSigning, type SigningWish } from '../../../policy/msgauth/dkim/sign.ts'
import { isDomain, isHash, isSelector } from '../../../policy/msgauth/dkim/signature.ts'
import type { Context } from '../../../ports.ts'
import { expanded, expandedBytes } from '../expanding.ts'
import type { SmtpSettings } from './smtp.options.ts'

type Settings = TransportInstance<SmtpSettings>['settings']

/** What leaves the machine, but for dots and line ends: LF here. */
export interface Outgoing {
  /** Header section and blank line. */
  readonly head: ByteString
  readonly body: Uint8Array | (() => AsyncIterable<Uint8Array>)
}

/** Most signatures of one message. */
const mostWishes = 20

/**
 * @param arcState what `verify = arc` found when the message came in
 * @returns headers to put before the message (none when nothing is to be signed), or why delivery must wait
 */
export async function signatures(
  outgoing: Outgoing,
  settings: Settings,
  context: Context,
  arcState?: string,
): Promise<{ readonly headers: ByteString } | { readonly failure: string }> {
  const { dkim_domain: domains, arc_sign: sealing } = settings
  if ((domains === undefined && sealing === undefined) || outgoing.head === '') return { headers: '' }
  const wishes = domains === undefined ? [] : await wishesOf(settings, context)
  if ('failure' in wishes) return wishes
  const sealWish = await sealWishOf(sealing, arcState, context)
  if (wishes.length === 0 && sealWish === undefined) return { headers: '' }
  const hashes = new BodyHashes()
  const begun = wishes.map((wish) => beginSigning(wish, hashes))
  const sealed = sealWish === undefined ? undefined : beginSeal(hashes)
  if (outgoing.body instanceof Uint8Array) hashes.push(outgoing.body)
  else for await (const piece of outgoing.body()) hashes.push(piece)
  hashes.finish()
  const texts = splitHeaders(outgoing.head.slice(0, -1)).map(({ text }) => text)
  const headers = new HeaderSet(texts)
  const made = begun.map((one) => finishSigning(one, headers))
  const text = made.join('')
  if (sealWish === undefined || sealed === undefined) return { headers: text }
  const set = seal([...made, ...texts], sealed, sealWish)
  if ('headers' in set) return { headers: set.headers + text }
  notSealed(set.why, context)
  return { headers: text }
}

async function wishesOf(
  settings: Settings,
  context: Context,
): Promise<readonly SigningWish[] | { readonly failure: string }> {
  const wishes: SigningWish[] = []
  const seen = new Set<ByteString>()
  const domains = await listOf(settings.dkim_domain, context)
  if (domains instanceof Failure) return (await trouble(domains.message, settings, context)) ?? []
  for (const written of domains) {
    const domain = retaint(textOf(written).toLowerCase(), written)
    if (textOf(domain) === '' || seen.has(textOf(domain))) continue
    seen.add(textOf(domain))
    const ofDomain = withBound(context, 'dkim_domain', domain)
    const selectors = await listOf(settings.dkim_selector, ofDomain)
    const list = selectors instanceof Failure ? [''] : selectors.filter((one) => textOf(one) !== '')
    for (const selector of list) {
      const inner = withBound(ofDomain, 'dkim_selector', selector)
      const wish: Wish =
        selectors instanceof Failure
          ? { is: 'bad', why: selectors.message }
          : await wishOf(textOf(domain), textOf(selector), settings, inner)
      if (wish.is === 'none') continue
      if (wish.is === 'wish') {
        if (wishes.length < mostWishes) wishes.push(wish.wish)
        continue
      }
      const failed = await trouble(`${textOf(domain)} ${textOf(selector)}: ${wish.why}`, settings, inner)
      if (failed !== undefined) return failed
    }
  }
  return wishes
}

type Wish =
  | { readonly is: 'wish'; readonly wish: SigningWish }
  | { readonly is: 'none' }
  | { readonly is: 'bad'; readonly why: string }

async function wishOf(
  domain: ByteString,
  selector: ByteString,
  settings: Settings,
  context: Context,
): Promise<Wish> {
  const bad = (why: string): Wish => ({ is: 'bad', why })
  if (!isDomain(domain)) return bad('not a domain')
  if (!isSelector(selector)) return bad('not a selector')
  const value = await expanded(settings.dkim_private_key, context)
  if (value instanceof Failure) return value.kind === 'forced' ? { is: 'none' } : bad(value.message)
  const key = readPrivateKey(value ?? '', context)
  if (key.is !== 'key') return key
  const given = await expandAll(settings, context)
  if (given instanceof Failure) return bad(given.message)
  const hash = given.dkim_hash.trim().toLowerCase()
  if (!isHash(hash)) return bad(`unknown hash "${hash}" in dkim_hash`)
  const canonicalisation = given.dkim_canon.trim().toLowerCase()
  if (canonicalisation !== 'relaxed' && canonicalisation !== 'simple') {
    return bad(`unknown canonicalization "${canonicalisation}" in dkim_canon`)
  }
  const headers = given.dkim_sign_headers
    .split(':')
    .map((name) => name.trim())
    .filter((name) => name !== '')
  const strange = headers.find((name) => !/^[=+]?[!-9<-~]+$/.test(name))
  if (strange !== undefined) return bad(`"${strange}" in dkim_sign_headers is not the name of a header`)
  // RFC 6376 section 5.4: From: must be signed.
  if (!headers.some((name) => name.replace(/^[=+]/, '').toLowerCase() === 'from')) {
    return bad('dkim_sign_headers lacks From')
  }
  const lifetime = given.dkim_timestamps.trim()
  if (!/^\d{0,10}$/.test(lifetime)) return bad(`dkim_timestamps is "${lifetime}", not a number of seconds`)
  const created = Math.floor(context.ports.now() / 1000)
  return {
    is: 'wish',
    wish: {
      domain,
      selector,
      key: key.key,
      // RFC 8463 knows SHA-256 alone.
      hash: key.key.asymmetricKeyType === 'ed25519' ? 'sha256' : hash,
      canonicalisation,
      identity: given.dkim_identity === '' ? undefined : given.dkim_identity,
      times: lifetime === '' ? undefined : { created, expires: created + Number(lifetime) },
      headers,
    },
  }
}

const defaults = {
  dkim_canon: 'relaxed',
  dkim_hash: 'sha256',
  dkim_identity: '',
  dkim_sign_headers: signHeaders,
  dkim_timestamps: '',
} as const

/** Options that are unset, empty or forced to fail have their defaults. */
async function expandAll(
  settings: Settings,
  context: Context,
): Promise<Record<keyof typeof defaults, ByteString> | Failure> {
  const given: Record<keyof typeof defaults, ByteString> = { ...defaults }
  // The names are those of the table above.
  for (const name of Object.keys(defaults) as (keyof typeof defaults)[]) {
    const value = await expandedBytes(settings[name], context)
    if (value instanceof Failure) {
      if (value.kind === 'forced') continue
      return new Failure(value.kind, `failed to expand ${name}: ${value.message}`)
    }
    if (value !== undefined && value !== '') given[name] = value
  }
  return given
}

/** With `dkim_strict` the delivery waits, else the message goes without this signature. */
async function trouble(
  why: string,
  settings: Settings,
  context: Context,
): Promise<{ readonly failure: string } | undefined> {
  const text = `DKIM: message could not be signed: ${why}`
  context.ports.log.panic(context.message?.id, text, { event: 'dkim:sign' })
  const strict = await expandedBytes(settings.dkim_strict, context)
  // An option that cannot be read is taken at its strongest.
  if (strict instanceof Failure) return { failure: text }
  return /^\s*(?:1|true)\s*$/i.test(strict ?? '') ? { failure: text } : undefined
}

function withBound(context: Context, name: string, value: Text): Context {
  return { ...context, bound: new Map([...(context.bound ?? []), [name, value]]) }
}

async function listOf(option: Expandable | undefined, context: Context): Promise<readonly Text[] | Failure> {
  const value = await expanded(option, context)
  if (value === undefined) return []
  if (value instanceof Failure) return value.kind === 'forced' ? [] : value
  return context.ports.splitList(value)
}

/** `arc_sign = admd : selector : key : timestamps, expire=+86400`; undefined: no seal. */
async function sealWishOf(
  option: Expandable | undefined,
  state: string | undefined,
  context: Context,
): Promise<SealWish | undefined> {
  const items = await listOf(option, context)
  if (items instanceof Failure) {
    notSealed(items.message, context)
    return undefined
  }
  if (items.length === 0) return undefined
  const [admd = '', name = '', keyText = '', ...more] = items
  const [domain, selector] = [textOf(admd).toLowerCase(), textOf(name)]
  const now = Math.floor(context.ports.now() / 1000)
  const times = timesOf(more.map(textOf).join(','), now)
  if (!isDomain(domain) || !isSelector(selector) || times === undefined) {
    notSealed(`arc_sign is not "domain : selector : key : options"`, context)
    return undefined
  }
  const key = readPrivateKey(keyText, context)
  if (key.is === 'key') return { domain, authservId: domain, selector, key: key.key, state, ...times }
  notSealed(key.is === 'none' ? 'no key in arc_sign' : key.why, context)
  return undefined
}

/** A month. */
const usualLifetime = 2_592_000

/** `timestamps, expire=+N`; undefined: something else is among them. */
function timesOf(
  options: ByteString,
  now: number,
): { readonly created: number | undefined; readonly expires: number | undefined } | undefined {
  let created: number | undefined
  let expires: number | undefined
  for (const option of options.split(',').map((one) => one.trim())) {
    const expire = /^expire(?:=(\+?)(\d{1,12}))?$/.exec(option)
    if (option === 'timestamps') created = now
    else if (expire !== null) {
      const value = Number(expire[2] ?? usualLifetime)
      expires = expire[2] === undefined || expire[1] === '+' ? now + value : value
    } else if (option !== '') return undefined
  }
  return { created, expires }
}

function notSealed(why: string, context: Context): void {
  context.ports.log.main(context.message?.id, `ARC: message not sealed: ${why}`, { event: 'arc:sign' })
}
